//! What the demonstration needs: a repository, somebody who serves it, and a folder that goes when
//! it is over.

use std::{
    env,
    fs::{self, DirBuilder},
    io,
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
    process::{self, Stdio},
    thread,
};

use crate::{
    git::example,
    shell::{command, supervisor::flag},
};

const REPOSITORY: &str = "shop";

pub struct Stage<'a> {
    folder: &'a Folder,
    url: String,
    is_served: bool,
}

/// A folder that only this user can enter, removed with all that is in it unless it is kept.
pub struct Folder {
    path: PathBuf,
    pub is_kept: bool,
}

impl Stage<'_> {
    pub fn build(folder: &Folder) -> io::Result<Stage<'_>> {
        let repository = folder.path.join(REPOSITORY);
        example::create(&repository).map_err(io::Error::other)?;
        let port = serve(&folder.path);
        let url = match port {
            Some(port) => format!("git://127.0.0.1:{port}/{REPOSITORY}"),
            None => format!("file://{}", repository.display()),
        };
        Ok(Stage { folder, url, is_served: port.is_some() })
    }

    pub fn folder(&self) -> &Folder {
        self.folder
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn remark(&self) -> &'static str {
        match self.is_served {
            true => "two commits, made for this and served by `git daemon`",
            false => "two commits, made for this; with stock git here it would be served",
        }
    }

    pub fn clone_path(&self) -> String {
        self.folder.path.join("clone").display().to_string()
    }
}

impl Folder {
    pub fn create() -> io::Result<Folder> {
        let name = format!("gitport-demo-{}", process::id());
        let path = env::temp_dir().canonicalize()?.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder { path, is_kept: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed is left where temporary files are looked for.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Serves the repositories in a folder with stock git, where there is one; tells on which port.
fn serve(folder: &Path) -> Option<u16> {
    let output = command("git").arg("--exec-path").stderr(Stdio::null()).output().ok()?;
    let programs = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
    let program = programs.join("git-daemon");
    if !program.exists() {
        return None;
    }
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    let port = listener.local_addr().ok()?.port();
    let folder = folder.to_owned();
    let accept = move || {
        for stream in listener.incoming().flatten() {
            let (program, folder) = (program.clone(), folder.clone());
            // Whoever connected learns of a failure by the end of the connection.
            let answer = move || drop(answer(&program, &folder, stream));
            let _ = thread::Builder::new().name("connection".to_owned()).spawn(answer);
        }
    };
    // Ends with the process, as the listener does.
    thread::Builder::new().name("served repository".to_owned()).spawn(accept).ok()?;
    Some(port)
}

/// Has one connection answered by a server that takes it as its stdin and stdout.
fn answer(program: &Path, folder: &Path, stream: TcpStream) -> io::Result<()> {
    let input = OwnedFd::from(stream.try_clone()?);
    let output = OwnedFd::from(stream);
    let mut server = command(program);
    server.args(["--inetd", "--export-all"]).arg(flag("--base-path", folder)).arg(folder);
    server.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    server.stdin(input).stdout(output).stderr(Stdio::null()).status()?;
    Ok(())
}
