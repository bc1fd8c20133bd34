//! A certificate authority of the suite's own, and certificates it signed.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::{command, output};

pub struct Authority {
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority { folder };
        output(
            command("openssl")
                .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
                .args(["-nodes", "-days", "2", "-subj", "/CN=suite authority"])
                .arg("-keyout")
                .arg(authority.file("ca.key"))
                .arg("-out")
                .arg(authority.certificate_file()),
        );
        authority
    }

    /// What a client has to trust.
    pub fn certificate_file(&self) -> PathBuf {
        self.file("ca.pem")
    }

    pub fn certificate(&self) -> String {
        fs::read_to_string(self.certificate_file()).unwrap()
    }

    /// A key and a certificate, in one file as web servers read it, for `names` such as `IP:127.0.0.1`.
    pub fn sign(&self, names: &str) -> PathBuf {
        let key = output(
            command("openssl")
                .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
                .args(["-nodes", "-days", "2", "-subj", "/CN=suite server"])
                .args(["-addext", &format!("subjectAltName={names}")])
                .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "-"])
                .arg("-CA")
                .arg(self.certificate_file())
                .arg("-CAkey")
                .arg(self.file("ca.key")),
        );
        let file = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        fs::write(file.path(), key).unwrap();
        file.into_temp_path().keep().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
