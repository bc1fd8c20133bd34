//! Every vector of the contract gets the answer that stands beside it.

use std::{collections::VecDeque, fs, path::PathBuf, process::Command};

use serde_json::Value;

use crate::{daemon::Daemon, msgpack};

/// One vector: lines of key and value, in their order.
struct Block(Vec<(String, String)>);

/// A reply to come, and what else must be in it.
struct Expected {
    key: String,
    value: String,
    details: Vec<(String, String)>,
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "protocol", "vectors"].iter().collect()
}

fn files() -> Vec<(String, Vec<Block>)> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), blocks(&fs::read_to_string(path).unwrap()))).collect()
}

fn blocks(text: &str) -> Vec<Block> {
    let line = |line: &str| {
        let (key, value) = line.split_once(':').unwrap();
        (key.to_owned(), value.trim_start().to_owned())
    };
    let block =
        |text: &str| Block(text.lines().filter(|line| !line.starts_with('#')).map(line).collect());
    text.split("\n\n").map(block).filter(|block| !block.0.is_empty()).collect()
}

fn bytes_of(value: &str) -> Vec<u8> {
    let piece = |piece: &str| {
        let (data, times) = piece.split_once('*').unwrap_or((piece, "1"));
        let digits: Vec<u8> = data.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        bytes.repeat(times.parse().unwrap())
    };
    value.split_whitespace().flat_map(piece).collect()
}

impl Block {
    fn all(&self, key: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |line| line.0 == key).map(|line| &*line.1)
    }

    fn get(&self, key: &'static str) -> Option<&str> {
        self.all(key).next()
    }

    fn expected(&self) -> Vec<Expected> {
        let mut expected: Vec<Expected> = Vec::new();
        for (key, value) in &self.0 {
            match (&**key, expected.last_mut()) {
                ("reply" | "code", _) => expected.push(Expected {
                    key: key.clone(),
                    value: value.clone(),
                    details: Vec::new(),
                }),
                ("id" | "field" | "nearest" | "has", Some(last)) => {
                    last.details.push((key.clone(), value.clone()));
                }
                _ => {}
            }
        }
        expected
    }

    /// Plays the block and tells what did not come as it should.
    fn play(&self, daemon: &mut Daemon) -> Result<(), String> {
        let bytes: Vec<u8> = self.all("send").flat_map(bytes_of).collect();
        daemon.send_bytes(&bytes);
        let expected = self.expected();
        let mut replies = match self.get("exit") {
            None => receive(daemon, expected.len())?,
            Some(exit) => {
                daemon.close_input();
                let end = daemon.rest();
                if end.status.success() != (exit == "0") {
                    return Err(format!("the exit was {}", end.status));
                }
                end.frames.into()
            }
        };
        for one in expected {
            let at = replies.iter().position(|reply| reply.get("id") == one.id().as_ref());
            let reply = at.and_then(|at| replies.remove(at));
            let reply = reply.ok_or_else(|| format!("no {}; left is {replies:?}", one.value))?;
            one.check(&reply)?;
        }
        match replies.pop_front() {
            Some(reply) => Err(format!("one too many: {reply}")),
            None => Ok(()),
        }
    }
}

fn receive(daemon: &mut Daemon, count: usize) -> Result<VecDeque<Value>, String> {
    let mut replies = VecDeque::new();
    while replies.len() < count {
        match daemon.receive_or_end() {
            Some(frame) if frame.get("event").is_some() => {}
            Some(frame) => replies.push_back(frame),
            None => return Err(format!("the output ended after {replies:?}")),
        }
    }
    Ok(replies)
}

impl Expected {
    fn frame(&self) -> Value {
        let bytes = bytes_of(&self.value);
        msgpack::decode(&bytes[4..]).unwrap()
    }

    fn id(&self) -> Option<Value> {
        match &*self.key {
            "reply" => self.frame().get("id").cloned(),
            _ => {
                let (_, id) = self.details.iter().find(|detail| detail.0 == "id")?;
                Some(serde_json::from_str(id).unwrap())
            }
        }
    }

    fn check(&self, reply: &Value) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("wanted {what}, got {reply}"));
        if self.key == "reply" {
            let (expected, found) = (comparable(self.frame()), comparable(reply.clone()));
            return if expected == found { Ok(()) } else { wrong(&expected.to_string()) };
        }
        let code = if reply.get("ok").is_some() { "ok" } else { reply["code"].as_str().unwrap() };
        if code != self.value {
            return wrong(&self.value);
        }
        for (key, value) in &self.details {
            let found = match &**key {
                "has" => {
                    let within = reply.get("ok").unwrap_or(reply);
                    value.split(' ').all(|key| within.get(key).is_some())
                }
                "id" => true,
                _ => reply[key].as_str() == Some(value),
            };
            if !found {
                return wrong(&format!("{key} {value}"));
            }
        }
        Ok(())
    }
}

/// Messages may change and details may be added: of an error only these keys count.
fn comparable(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(comparable).collect(),
        Value::Object(map) => {
            let is_error = map.contains_key("err");
            let counts = |key: &str| !is_error || ["id", "file", "code"].contains(&key);
            let kept = map.into_iter().filter(|(key, _)| counts(key));
            kept.map(|(key, value)| (key, comparable(value))).collect()
        }
        other => other,
    }
}

#[test]
fn every_vector_gets_its_answer() {
    let fixture = Command::new("sh").arg(folder().join("fixture.sh")).output().unwrap();
    assert!(fixture.status.success(), "{}", String::from_utf8_lossy(&fixture.stderr));
    let mut count = 0;
    let mut wrong = Vec::new();
    for (file, blocks) in files() {
        let mut shared = Daemon::start();
        for block in blocks.iter().filter(|block| block.get("codec").is_none()) {
            count += 1;
            let played = match block.get("exit") {
                Some(_) => block.play(&mut Daemon::start()),
                None => block.play(&mut shared),
            };
            if let Err(error) = played {
                wrong.push(format!("{file}: {}: {error}", block.get("about").unwrap()));
                // What was left of this block is no answer to the next.
                shared = Daemon::start();
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 150, "only {count} vectors were played");
}

#[test]
fn every_value_is_decoded_and_encoded_as_its_vector_says() {
    let mut count = 0;
    for block in files().into_iter().flat_map(|(_, blocks)| blocks) {
        let Some(codec) = block.get("codec") else { continue };
        count += 1;
        let about = block.get("about").unwrap();
        let decoded = msgpack::decode(&bytes_of(block.get("bytes").unwrap()));
        assert_eq!(decoded.is_ok(), codec == "good", "{about}: {decoded:?}");
        if let (Some(encodes), Ok(value)) = (block.get("encodes"), decoded) {
            assert!(msgpack::encode(&value) == bytes_of(encodes), "{about}");
        }
    }
    assert!(count > 0);
}
