use super::*;

fn all(journal: &mut Journal) -> Vec<Vec<u8>> {
    journal.rewind();
    std::iter::from_fn(|| journal.next().unwrap()).collect()
}

fn opened(folder: &Path) -> Journal {
    Journal::open(folder).unwrap().unwrap()
}

#[test]
fn records_come_back_in_order_also_to_another_reader() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(folder.path()).unwrap();
    let mut other = opened(folder.path());
    let records: Vec<Vec<u8>> = (0..40u8).map(|it| vec![it; 1 + usize::from(it) * 500]).collect();
    for record in &records {
        journal.append(record).unwrap();
    }
    assert_eq!(all(&mut journal), records);
    assert_eq!(all(&mut other), records, "though the file grew meanwhile");
    assert_eq!(all(&mut opened(folder.path())), records);
}

#[test]
fn after_starting_over_nothing_older_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(folder.path()).unwrap();
    let mut other = opened(folder.path());
    for _ in 0..3 {
        journal.append(b"before").unwrap();
        journal.append(b"before too").unwrap();
        journal.start_over().unwrap();
        assert!(other.look().unwrap());
        journal.append(b"after!").unwrap();
        assert_eq!(all(&mut other), [b"after!"]);
        journal.start_over().unwrap();
        other.look().unwrap();
    }
}

#[test]
fn what_was_taken_back_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(folder.path()).unwrap();
    journal.append(b"good").unwrap();
    let end = journal.end();
    journal.append(b"not to be").unwrap();
    journal.take_back(end);
    assert_eq!(all(&mut opened(folder.path())), [b"good"]);
}

#[test]
fn a_record_longer_than_the_file_usually_is_comes_back_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(folder.path()).unwrap();
    let long = vec![7; CAPACITY_MAX as usize + 1];
    assert!(!journal.has_room_for(long.len()));
    journal.append(&long).unwrap();
    journal.append(b"next").unwrap();
    let found = all(&mut opened(folder.path()));
    assert!(found == [long, b"next".to_vec()]);
}

#[test]
fn a_record_with_any_byte_changed_is_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(folder.path()).unwrap();
    journal.append(b"first").unwrap();
    let (from, content) = (journal.end(), b"second");
    journal.append(content).unwrap();
    for at in 0..(PREFIX_BYTES + content.len()) as u64 {
        let mut byte = [0];
        journal.file.read_exact_at(&mut byte, from + at).unwrap();
        journal.file.write_all_at(&[byte[0] ^ 0x10], from + at).unwrap();
        assert_eq!(all(&mut opened(folder.path())), [b"first"], "byte {at}");
        journal.file.write_all_at(&byte, from + at).unwrap();
    }
    assert_eq!(all(&mut opened(folder.path())).len(), 2);
}
