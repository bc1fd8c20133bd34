use super::*;
use crate::error::Code;

const FILE: &str = "process_name: ship\nprocess_version: \"1.2.0\"\nsteps: [{step_id: a}]\n";

fn artifact(text: &str) -> Result<Artifact> {
    Artifact::of(text.as_bytes().to_vec())
}

#[test]
fn a_name_is_one_that_folders_refs_and_keys_have_as_it_is() {
    for name in ["a", "Order-fulfilment_2", "a.b", "0", "_x", "a.yaml", &"a".repeat(100)] {
        assert_eq!(Name::new(name).unwrap().as_str(), name);
        let reference = format!("refs/tags/process/{name}/v1.0.0");
        assert!(crate::git::Tag::new(&reference).is_ok(), "{reference}");
    }
    let long = "a".repeat(101);
    for name in ["", ".", "..", ".a", "a.", "a..b", "-a", "a/b", "a b", "ä", "a.lock", "a~1", &long]
    {
        assert_eq!(Name::new(name).unwrap_err().code, Code::BadRequest, "{name}");
    }
    // Every byte that is none of these is refused wherever it is.
    for c in (0..=255_u8).map(char::from).filter(|it| !it.is_ascii_alphanumeric()) {
        let is_one = Name::new(&format!("a{c}b")).is_ok();
        assert_eq!(is_one, "-_.".contains(c), "{c:?}");
    }
}

#[test]
fn a_file_tells_its_version_by_its_name() {
    let name = Name::new("a_v1.0.0").unwrap();
    for version in ["1.0.0", "1.0.0-rc.1", "10.20.30"] {
        let version = version_of(version).unwrap();
        let file = name.file(&version);
        assert_eq!(name.version_of(&file, ".yaml"), Some(version));
    }
    for file in ["a_v1.0.0.yaml", "a_v1.0.0_v1.0.yaml", "a_v1.0.0_v1.0.0.json", "b_v1.0.0.yaml"] {
        assert_eq!(name.version_of(file, ".yaml"), None, "{file}");
    }
}

#[test]
fn versions_are_those_of_semver_without_build_metadata() {
    for text in ["1", "1.0", "v1.0.0", "1.0.0+a", "01.0.0", "1.0.0-", "", "1.0.0-a.lock", "latest"]
    {
        let error = version_of(text).unwrap_err();
        assert_eq!(error.code, Code::BadRequest, "{text}");
    }
    assert!(version_of(&format!("1.0.0-{}", "a".repeat(95))).is_err());
}

#[test]
fn the_digest_is_of_what_is_said_and_the_sum_of_the_bytes() {
    let first = artifact(FILE).unwrap();
    let said = r#"{"process_name":"ship","process_version":"1.2.0","steps":[{"step_id":"a"}]}"#;
    assert_eq!(first.digests.digest, format!("sha256:{}", sha256(said.as_bytes())));
    assert_eq!(first.digests.sha256, sha256(FILE.as_bytes()));
    let same = "# a word\nsteps:\n- step_id: 'a'\nprocess_version: 1.2.0\nprocess_name: ship\n";
    let same = artifact(same).unwrap();
    assert_eq!(same.digests.digest, first.digests.digest);
    assert_ne!(same.digests.sha256, first.digests.sha256);
    let other = artifact(&FILE.replace("step_id: a", "step_id: b")).unwrap();
    assert_ne!(other.digests.digest, first.digests.digest);
}

#[test]
fn tests_are_a_part_of_what_is_said() {
    let tested = artifact(&format!("{FILE}tests: {{t: [+a, a, =done]}}\n")).unwrap();
    assert_ne!(tested.digests.digest, artifact(FILE).unwrap().digests.digest);
}

#[test]
fn a_file_without_a_fit_name_or_version_is_invalid() {
    for text in [
        "",
        "just text",
        "[1, 2]",
        "process_name: a\nsteps: []\n",
        "process_version: 1.0.0\nsteps: []\n",
        "process_name: a b\nprocess_version: 1.0.0\n",
        "process_name: a\nprocess_version: 1.0\n",
        "process_name: a\nprocess_version: '1.0'\n",
        "process_name: a\nprocess_name: b\nprocess_version: 1.0.0\n",
        "process_name: a\nprocess_version: 1.0.0\n---\nprocess_name: b\n",
    ] {
        assert_eq!(artifact(text).unwrap_err().code, Code::Invalid, "{text}");
    }
    let long = format!("{FILE}# {}", "x".repeat(BYTES_MAX));
    assert_eq!(artifact(&long).unwrap_err().code, Code::TooLarge);
}

#[test]
fn a_record_is_read_back_and_told_from_another_ones() {
    let artifact = artifact(FILE).unwrap();
    let (line, other) = (artifact.record().line(), Name::new("other").unwrap());
    let read = Record::read(&line, &artifact.name, &artifact.version).unwrap();
    assert_eq!(Artifact::checked(artifact.bytes.clone(), &read).unwrap(), artifact);
    let corrupt = |line: &[u8], name: &Name| {
        let error = Record::read(line, name, &artifact.version).unwrap_err();
        assert_eq!(error.code, Code::Corrupt, "{}", line.escape_ascii());
    };
    corrupt(&line, &other);
    (0..line.len() - 2).for_each(|it| corrupt(&line[..it], &artifact.name));
    corrupt(br#"{"v":1}"#, &artifact.name);
    let text = String::from_utf8(line.clone()).unwrap();
    for other in ["/etc/passwd", "", &"A".repeat(64)] {
        corrupt(text.replace(&artifact.digests.sha256, other).as_bytes(), &artifact.name);
        corrupt(text.replace(&artifact.digests.digest, other).as_bytes(), &artifact.name);
    }
    let later = Record::read(br#"{"v":2}"#, &artifact.name, &artifact.version).unwrap_err();
    assert_eq!(later.code, Code::Unsupported);
}

#[test]
fn every_flipped_bit_of_a_file_is_found() {
    let artifact = artifact(FILE).unwrap();
    for (index, bit) in (0..artifact.bytes.len()).flat_map(|it| (0..8).map(move |bit| (it, bit))) {
        let mut bytes = artifact.bytes.clone();
        bytes[index] ^= 1 << bit;
        let error = Artifact::checked(bytes, &artifact.record()).unwrap_err();
        assert_eq!(error.code, Code::Corrupt);
    }
}

#[test]
fn the_same_bytes_are_fine_and_others_are_told_with_both_digests() {
    let (published, same) = (artifact(FILE).unwrap(), artifact(FILE).unwrap());
    published.record().expect_same(&same).unwrap();
    let other = artifact(&format!("{FILE}# more\n")).unwrap();
    let error = published.record().expect_same(&other).unwrap_err();
    assert_eq!(error.code, Code::AlreadyExists);
    let details: Vec<_> = error.details().iter().map(|(name, _)| *name).collect();
    assert_eq!(details, ["expected", "actual"]);
}
