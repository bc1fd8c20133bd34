//! A real sshd with accounts of its own: `git` with a password and keys, and nobody else.
//!
//! The accounts come from nss_wrapper, so that neither the machine's passwords nor the name of
//! whoever runs the suite plays a part.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{command, inetd::Inetd, output, path, ssh_keys::Key};

pub const PASSWORD: &str = "ssh-password-0123456789";

pub struct SshServer {
    inetd: Inetd,
    host_key: Key,
    folder: TempDir,
}

impl SshServer {
    /// A server that `key` may enter.
    pub fn start(key: &Key) -> SshServer {
        SshServer::with(key, &[])
    }

    /// The same that takes its users in and then holds still, whatever they ask for.
    pub fn hanging(key: &Key) -> SshServer {
        // It has to notice when they leave.
        SshServer::with(key, &["ForceCommand cat >/dev/null"])
    }

    fn with(key: &Key, options: &[&str]) -> SshServer {
        let folder = tempfile::tempdir().unwrap();
        let host_key = Key::new();
        write_accounts(folder.path());
        fs::write(folder.path().join("authorized"), key.public()).unwrap();
        let configuration = folder.path().join("sshd_config");
        fs::write(&configuration, configure(folder.path(), &host_key, options)).unwrap();
        // sshd wants it when root runs it, and machines that never ran one do not have it.
        let _ = fs::create_dir_all("/run/sshd");
        let program = {
            let folder = folder.path().to_owned();
            move || {
                let mut sshd = command(sshd());
                sshd.arg("-i").arg("-f").arg(folder.join("sshd_config"));
                sshd.arg("-E").arg(folder.join("log"));
                sshd.env("LD_PRELOAD", "libnss_wrapper.so");
                for (variable, file) in
                    [("PASSWD", "passwd"), ("GROUP", "group"), ("SHADOW", "shadow")]
                {
                    sshd.env(format!("NSS_WRAPPER_{variable}"), folder.join(file));
                }
                sshd
            }
        };
        SshServer { inetd: Inetd::start(program), host_key, folder }
    }

    pub fn address(&self) -> SocketAddr {
        self.inetd.address()
    }

    /// The url of the repository at `path` for the user `git`.
    pub fn url(&self, path: &Path) -> String {
        self.url_for("git@", path)
    }

    /// The same for another `user@`, or for none.
    pub fn url_for(&self, user: &str, path: &Path) -> String {
        format!("ssh://{user}{}{}", self.address(), path.display())
    }

    /// The line a client has to know to trust this server.
    pub fn known_hosts(&self) -> String {
        self.known_hosts_at(self.address())
    }

    /// The same where the server is seen at another `address`.
    pub fn known_hosts_at(&self, address: SocketAddr) -> String {
        format!("[{}]:{} {}\n", address.ip(), address.port(), self.host_key.public())
    }

    /// What sshd says happened.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// How many connections came.
    pub fn accepted(&self) -> usize {
        self.inetd.accepted()
    }
}

/// sshd insists on being started by its whole name.
fn sshd() -> PathBuf {
    let path = path();
    let found = path.split(':').map(|folder| Path::new(folder).join("sshd")).find(|it| it.exists());
    found.unwrap_or_else(|| PathBuf::from("/usr/sbin/sshd"))
}

fn configure(folder: &Path, host_key: &Key, options: &[&str]) -> String {
    let mut text = format!(
        "HostKey {host_key}\n\
         AuthorizedKeysFile {folder}/authorized\n\
         UsePAM no\n\
         StrictModes no\n\
         PermitRootLogin yes\n\
         PasswordAuthentication yes\n\
         KbdInteractiveAuthentication no\n\
         PidFile none\n\
         LogLevel VERBOSE\n\
         AcceptEnv GIT_PROTOCOL\n\
         SetEnv PATH={path}\n",
        host_key = host_key.file().display(),
        folder = folder.display(),
        path = path(),
    );
    for option in options {
        writeln!(text, "{option}").unwrap();
    }
    text
}

fn write_accounts(folder: &Path) {
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    let (user, group) = (user.as_raw(), group.as_raw());
    let home = folder.display();
    let hash = output(command("openssl").args(["passwd", "-6", PASSWORD]));
    let write = |name: &str, text: String| {
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write(
        "passwd",
        format!(
            "git:x:{user}:{group}:git:{home}:/bin/sh\n\
             sshd:x:65534:65534:sshd:/run/sshd:/bin/false\n"
        ),
    );
    write("group", format!("git:x:{group}:\nnogroup:x:65534:\n"));
    write("shadow", format!("git:{hash}:20000:0:99999:7:::\n"));
}
