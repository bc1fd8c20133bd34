//! What a pipeline does with a folder of definitions: lint, test, publish what is new, and say so.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
};

use semver::Version;
use serde_json::{Value as Json, json};

use super::{
    Failure, Outcome, Session,
    check::{Tests, word, write},
    files::{File, collect, drafts},
    stores::{content, listed, place, publishing},
};
use crate::config::process::{PipelineFormat, Store};

pub struct Pipeline {
    pub store: Store,
    pub dry_run: bool,
    pub interleavings: u32,
    pub reports: Reports,
    pub sign_with: Option<PathBuf>,
}

/// How it is told what is wrong.
pub struct Reports {
    pub format: PipelineFormat,
    pub junit: Option<PathBuf>,
    pub sarif: Option<PathBuf>,
}

/// A definition, and what becomes of it.
struct Row {
    file: String,
    name: String,
    version: Option<String>,
    /// The highest version that was published before.
    last: Option<String>,
    change: Change,
    tests: String,
    published: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    New,
    NewVersion,
    /// Newer ones are published already.
    OlderVersion,
    /// These bytes are published.
    Same,
    /// Other bytes under a published version.
    Rewritten,
    /// It has no version, or shares its file.
    Unpublishable(&'static str),
}

impl Row {
    /// One of a file that nothing else is known of.
    fn unreadable(file: &str) -> Row {
        Row {
            file: file.to_owned(),
            name: file.to_owned(),
            version: None,
            last: None,
            change: Change::Unpublishable("it cannot be read or played"),
            tests: String::new(),
            published: "",
        }
    }
}

impl Change {
    fn words(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::NewVersion => "new version",
            Change::OlderVersion => "older version",
            Change::Same => "none",
            Change::Rewritten => "changed: give it a new version",
            Change::Unpublishable(why) => why,
        }
    }

    fn is_wrong(self) -> bool {
        matches!(self, Change::Rewritten | Change::Unpublishable(_))
    }

    fn is_to_publish(self) -> bool {
        matches!(self, Change::New | Change::NewVersion | Change::OlderVersion)
    }
}

impl Pipeline {
    pub fn run(&self, session: &mut Session, folder: &Path) -> Outcome<bool> {
        let files = collect(&[folder.to_path_buf()])?;
        let (place, drafts) = (place(&self.store)?, drafts(&files));
        let is_sound = self.lint(session, &drafts)?;
        let tested = self.test(session, &drafts)?;
        let mut rows = rows(session, &place, &files, &tested)?;
        for row in rows.iter().filter(|it| it.change.is_wrong()) {
            self.complain(row)?;
        }
        let mut is_right =
            is_sound && tested["passed"] == true && rows.iter().all(|it| !it.change.is_wrong());
        // Nothing is published before everything could be.
        let stages: &[bool] = if self.dry_run { &[true] } else { &[true, false] };
        for dry_run in stages {
            let is_wanted = is_right;
            for row in rows.iter_mut().filter(|it| it.change.is_to_publish()) {
                row.published = match (is_wanted, dry_run) {
                    (false, _) if row.published == REFUSED => REFUSED,
                    (false, _) => "no",
                    (true, _) if !self.publish(session, &place, &files, row, *dry_run)? => REFUSED,
                    (true, true) => "would be",
                    (true, false) => "yes",
                };
                is_right &= row.published != REFUSED;
            }
        }
        print_table(&rows)?;
        Ok(is_right)
    }

    fn lint(&self, session: &mut Session, drafts: &Json) -> Outcome<bool> {
        let mut lint = |format: &str| {
            session.ask(&json!({"op": "process.lint", "drafts": drafts, "format": format}))
        };
        let reply = lint(&word(self.reports.format))?;
        tell(&reply)?;
        if let Some(file) = &self.reports.sarif {
            write_rendered(file, &lint("sarif")?)?;
        }
        Ok(reply["errors"] == 0)
    }

    fn test(&self, session: &mut Session, drafts: &Json) -> Outcome<Json> {
        let interleavings = self.interleavings;
        let tests = Tests { only: None, interleavings, seed: 0, mutants: false };
        let request = tests.request(drafts);
        let mut test = |format: &str| {
            let mut request = request.clone();
            request["format"] = format.into();
            session.ask(&request)
        };
        let reply = test("text")?;
        tell(&reply)?;
        if self.reports.format == PipelineFormat::Github && reply["passed"] != true {
            tell(&test("github")?)?;
        }
        if let Some(file) = &self.reports.junit {
            write_rendered(file, &test("junit")?)?;
        }
        Ok(reply)
    }

    /// Says what of a row nobody else says.
    fn complain(&self, row: &Row) -> Outcome<()> {
        let (file, why) = (&row.file, row.change.words());
        let line = match self.reports.format {
            PipelineFormat::Github => format!("::error file={}::{why}\n", property(file)),
            PipelineFormat::Text => format!("{file}: {why}\n"),
        };
        Ok(io::stderr().lock().write_all(line.as_bytes())?)
    }

    /// Whether it could be published, or is.
    fn publish(
        &self,
        session: &mut Session,
        place: &Json,
        files: &[File],
        row: &Row,
        dry_run: bool,
    ) -> Outcome<bool> {
        let file = files.iter().find(|it| it.name == row.file);
        let file = file.ok_or_else(|| Failure::Mistaken(format!("{} is gone", row.file)))?;
        let drafts = drafts(files.iter().filter(|it| it.name != row.file));
        let mut request = publishing(place, file, &drafts, self.sign_with.as_deref())?;
        request["dry_run"] = dry_run.into();
        match session.ask(&request) {
            Ok(_) => Ok(true),
            // The others are told of all the same.
            Err(Failure::Refused(reply)) => {
                super::refused(&reply);
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }
}

/// As a command of GitHub's runners has it.
fn property(text: &str) -> String {
    text.replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}

fn write_rendered(file: &Path, reply: &Json) -> Outcome<()> {
    write(Some(file), reply["rendered"].as_str().unwrap_or_default().as_bytes())
}

/// What was rendered, where the table is not.
fn tell(reply: &Json) -> Outcome<()> {
    let text = reply["rendered"].as_str().unwrap_or_default();
    Ok(io::stderr().lock().write_all(text.as_bytes())?)
}

const REFUSED: &str = "refused";

/// What changed since each process was last published.
fn rows(session: &mut Session, place: &Json, files: &[File], tested: &Json) -> Outcome<Vec<Row>> {
    let mut published: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let before = match listed(session, place, None) {
        // A folder is made by who publishes there first.
        Err(Failure::Refused(reply)) if reply["code"] == "not_found" => Vec::new(),
        before => before?,
    };
    for (name, version) in before {
        published.entry(name).or_default().push(version);
    }
    let tested: Vec<&Json> = tested["tested"].as_array().into_iter().flatten().collect();
    let mut rows = Vec::new();
    for it in &tested {
        let text = |key: &str| it[key].as_str().map(str::to_owned);
        let (file, name) =
            (text("file").unwrap_or_default(), text("process_name").unwrap_or_default());
        let version = text("process_version");
        let before = published.get(&name).map(Vec::as_slice).unwrap_or_default();
        let is_alone = tested.iter().filter(|other| other["file"] == it["file"]).count() == 1;
        let last = before.iter().filter_map(|it| Version::parse(it).ok()).max();
        let change = match &version {
            _ if !is_alone => Change::Unpublishable("more than one process in a file"),
            None => Change::Unpublishable("no `process_version`"),
            Some(version) if Version::parse(version).is_err() => {
                Change::Unpublishable("its version is not three numbers, such as 1.0.0")
            }
            Some(version) if before.contains(version) => {
                let there = content(session, place, &name, version)?;
                let is_same = files.iter().any(|it| it.name == file && it.bytes == there);
                if is_same { Change::Same } else { Change::Rewritten }
            }
            Some(_) if before.is_empty() => Change::New,
            Some(version) if Version::parse(version).ok() < last => Change::OlderVersion,
            Some(_) => Change::NewVersion,
        };
        let last = last.map(|it| it.to_string());
        rows.push(Row { file, name, version, last, change, tests: tests(it), published: "" });
    }
    for file in files.iter().filter(|it| !it.has_tests_only()) {
        if rows.iter().all(|it| it.file != file.name) {
            rows.push(Row::unreadable(&file.name));
        }
    }
    Ok(rows)
}

/// How many tests passed, and what of the definition they came to.
fn tests(tested: &Json) -> String {
    let tests: Vec<&Json> = tested["tests"].as_array().into_iter().flatten().collect();
    let passed = tests.iter().filter(|it| it.get("failure").is_none()).count();
    let coverage = &tested["coverage"];
    let number = |key: &str| coverage[key].as_u64().unwrap_or_default();
    let run = number("steps_run") + number("transitions_run");
    let all = number("steps") + number("transitions");
    let by_chance = match tested["interleavings"].get("found") {
        Some(_) => ", wrong by chance",
        None => "",
    };
    let share = run * 100 / all.max(1);
    format!("{passed} of {} passed, {share} % covered{by_chance}", tests.len())
}

fn print_table(rows: &[Row]) -> Outcome<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "| process | version | last published | change | tests | published |")?;
    writeln!(output, "| --- | --- | --- | --- | --- | --- |")?;
    for Row { name, version, last, change, tests, published, .. } in rows {
        let version = version.as_deref().unwrap_or("");
        let (last, change) = (last.as_deref().unwrap_or(""), change.words());
        writeln!(output, "| {name} | {version} | {last} | {change} | {tests} | {published} |")?;
    }
    Ok(output.flush()?)
}
