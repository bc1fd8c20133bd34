use super::*;

#[test]
fn states_and_files_are_read_from_the_default_layout() {
    let folder = Folder::new();
    let path = folder.sqlite(TWO_STATES);
    assert_eq!(outline(json!({"sqlite": path})), AS_READ);
    for project in [json!(7), json!("7"), json!("app")] {
        assert_eq!(outline(json!({"sqlite": path, "project": project})), AS_READ);
    }
}

#[test]
fn what_need_not_be_there_may_be_missing() {
    let folder = Folder::new();
    let path = folder.sqlite(
        "CREATE TABLE states (id TEXT);
         CREATE TABLE files (state_id TEXT, path TEXT, content TEXT);
         INSERT INTO states VALUES ('y'), ('x'), ('empty');
         INSERT INTO files VALUES ('y', 'f', 'Y'), ('x', 'f', 'X'), ('orphan', 'f', 'O');",
    );
    let expected = "empty 0+0 '':\nx<empty 0+0 '': f=X\ny<x 0+0 '': f=Y\n";
    assert_eq!(outline(json!({"sqlite": path})), expected);
    check_refused(json!({"sqlite": path, "project": "p"}), "not_found", &["`p`"]);
}

#[test]
fn tables_and_columns_may_have_any_names() {
    let folder = Folder::new();
    let path = folder.sqlite(
        r#"CREATE TABLE "the ""group""" ("order" INTEGER, "--" TEXT);
           CREATE TABLE "sele'ct" ("from" INTEGER, "where;" INTEGER, "é" TEXT);
           CREATE VIEW "a.b" AS SELECT 5 AS "of", 'f' AS "Path", 'text' AS "?1";
           INSERT INTO "the ""group""" VALUES (1, 'one'), (2, 'two');
           INSERT INTO "sele'ct" VALUES (5, 2, 'named'), (6, 1, 'of another');"#,
    );
    let from = json!({
        "sqlite": path,
        "project": "two",
        "tables": {"projects": "the \"group\"", "states": "sele'ct", "files": "a.b"},
        "columns": {
            "projects": {"id": "order", "name": "--"},
            "states": {"id": "from", "project_id": "where;", "label": "é"},
            "files": {"state_id": "of", "content": "?1"},
        },
    });
    assert_eq!(outline(from), "5 0+0 'named': f=text\n");
}

#[test]
fn queries_take_the_place_of_tables() {
    let folder = Folder::new();
    let path = folder.sqlite(
        "CREATE TABLE saved (number INTEGER, owner TEXT, words TEXT);
         CREATE TABLE entries (number INTEGER, name TEXT, hash TEXT);
         CREATE TABLE contents (hash TEXT, bytes BLOB);
         INSERT INTO saved VALUES (1, 'p', 'a'), (2, 'p', 'b'), (3, 'q', 'c');
         INSERT INTO entries VALUES (1, 'f', 'h'), (2, 'f', 'h'), (2, 'g', 'i'), (3, 'f', 'i');
         INSERT INTO contents VALUES ('h', 'H'), ('i', 'I');",
    );
    let files = "SELECT name AS path, bytes AS content FROM entries
                 LEFT JOIN contents USING (hash) WHERE number = $1 -- each once";
    let states = "SELECT number AS id, words AS label FROM saved";
    let from = json!({"sqlite": path, "states_query": states, "files_query": files});
    let all = "1 0+0 'a': f=H\n2<1 0+0 'b': f=H g=I\n3<2 0+0 'c': f=I\n";
    assert_eq!(outline(from), all);

    let of_project = format!("{states} WHERE owner = ?;\n ");
    let mut from = json!({"sqlite": path, "states_query": of_project, "files_query": files});
    check_refused(from.clone(), "bad_request", &["no project is named"]);
    from["project"] = json!("q");
    assert_eq!(outline(from), "3 0+0 'c': f=I\n");

    let from = json!({"sqlite": path, "project": "q", "states_query": states,
        "files_query": files});
    check_refused(from, "bad_request", &["no parameter for the project"]);
    let from = json!({"sqlite": path, "states_query": states,
        "files_query": "SELECT 'f' AS path, 'x' AS content"});
    check_refused(from, "bad_request", &["`files_query` has one parameter"]);
    let from = json!({"sqlite": path, "states_query": states, "files_query":
        "SELECT name AS path FROM entries WHERE number = $1"});
    check_refused(from, "invalid", &[r#""table":"files","column":"content""#]);

    Connection::open(&path).unwrap().execute("DELETE FROM contents WHERE hash = 'i'", []).unwrap();
    let from = json!({"sqlite": path, "states_query": states, "files_query": files});
    check_refused(from, "invalid", &["`g` has no content", r#""state":"2","path":"g""#]);
}

#[test]
fn an_id_is_a_number_a_text_or_bytes() {
    let folder = Folder::new();
    let path = folder.sqlite(
        "CREATE TABLE states (id, parent_id);
         CREATE TABLE files (state_id, path TEXT, content TEXT);
         INSERT INTO states VALUES (10, NULL), ('ten', 10),
             (x'00112233445566778899aabbccddeeff', 'ten'),
             (x'ff', x'00112233445566778899aabbccddeeff');
         INSERT INTO files VALUES (10, 'f', '1'), ('10', 'f', 'of nobody'), ('ten', 'f', '2'),
             (x'00112233445566778899aabbccddeeff', 'f', '3'), (x'ff', 'f', '4');",
    );
    let uuid = "00112233-4455-6677-8899-aabbccddeeff";
    let expected = format!(
        "10 0+0 '': f=1\nten<10 0+0 '': f=2\n{uuid}<ten 0+0 '': f=3\nff<{uuid} 0+0 '': f=4\n"
    );
    assert_eq!(outline(json!({"sqlite": path})), expected);
}

#[test]
fn a_project_is_named_where_there_are_several() {
    let folder = Folder::new();
    let path = folder.sqlite(&format!(
        "{TWO_STATES}
         INSERT INTO projects VALUES (8, 'site'), (9, 'site'), (10, '8');
         INSERT INTO states (id, project_id) VALUES (3, 8);"
    ));
    check_refused(json!({"sqlite": path}), "bad_request", &["`7`, `8`", r#""field":"project""#]);
    check_refused(json!({"sqlite": path, "project": "no"}), "not_found", &["`no`"]);
    check_refused(json!({"sqlite": path, "project": "site"}), "bad_request", &["by its id"]);
    // An id goes before a name.
    assert_eq!(outline(json!({"sqlite": path, "project": 8})), "3 0+0 '':\n");
    assert_eq!(outline(json!({"sqlite": path, "project": 9})), "");

    // Without a table of projects, the states tell.
    Connection::open(&path).unwrap().execute_batch("DROP TABLE projects").unwrap();
    check_refused(json!({"sqlite": path}), "bad_request", &["`7` and `8`"]);
    assert_eq!(outline(json!({"sqlite": path, "project": "7"})), AS_READ);
}

#[test]
fn reading_leaves_no_trace() {
    for mode in ["DELETE", "TRUNCATE", "PERSIST", "WAL"] {
        let folder = Folder::new();
        let path = folder.sqlite(&format!("PRAGMA journal_mode = {mode}; {TWO_STATES}"));
        let before = folder.all();
        let mut source = open(json!({"sqlite": path})).unwrap();
        let state = source.states().unwrap().remove(1);
        source.files(&state, &mut |_| Ok(())).unwrap();
        assert_eq!(folder.all(), before, "{mode}, while it is open");
        drop(source);
        assert_eq!(folder.all(), before, "{mode}");
    }
}

#[test]
fn what_is_only_in_the_log_of_an_open_database_is_read_too() {
    let folder = Folder::new();
    let path = folder.sqlite(&format!("PRAGMA journal_mode = WAL; {TWO_STATES}"));
    let writer = Connection::open(&path).unwrap();
    writer.execute("UPDATE files SET content = 'newer' WHERE content = 'one'", []).unwrap();
    let newer = AS_READ.replace("one", "newer");
    assert_eq!(outline(json!({"sqlite": path})), newer);

    // One moment is seen, whatever is written meanwhile.
    let mut source = open(json!({"sqlite": path})).unwrap();
    let states = source.states().unwrap();
    writer.execute("DELETE FROM files", []).unwrap();
    assert_eq!(count_files(&mut *source, &states[1]), 2);
    drop(source);

    let names: Vec<_> = folder.all().into_keys().collect();
    assert_eq!(names, [path.clone(), folder.path("it.db-shm"), folder.path("it.db-wal")]);
}

#[test]
fn a_log_that_nobody_can_read_without_writing_is_refused() {
    let folder = Folder::new();
    let path = folder.sqlite(&format!("PRAGMA journal_mode = WAL; {TWO_STATES}"));
    let writer = Connection::open(&path).unwrap();
    writer.execute("DELETE FROM files", []).unwrap();

    let copy = Folder::new();
    let copied = copy.file("it.db", fs::read(&path).unwrap());
    copy.file("it.db-wal", fs::read(folder.path("it.db-wal")).unwrap());
    let before = copy.all();
    check_refused(json!({"sqlite": copied}), "invalid", &["open it once"]);
    assert_eq!(copy.all(), before);
}

#[test]
fn a_transaction_that_was_interrupted_is_not_read_over() {
    let folder = Folder::new();
    let path = folder.sqlite(TWO_STATES);
    let writer = Connection::open(&path).unwrap();
    // What does not fit into so small a cache is written before it is committed.
    let sql = "PRAGMA cache_size = 1; BEGIN;
        INSERT INTO files SELECT 3, randomblob(9), zeroblob(100000), 1 FROM files, files AS other";
    writer.execute_batch(sql).unwrap();
    check_refused(json!({"sqlite": path}), "locked", &[]);

    let copy = Folder::new();
    let copied = copy.file("it.db", fs::read(&path).unwrap());
    copy.file("it.db-journal", fs::read(folder.path("it.db-journal")).unwrap());
    let before = copy.all();
    check_refused(json!({"sqlite": copied}), "invalid", &["open it once"]);
    assert_eq!(copy.all(), before);
}

#[test]
fn a_file_that_changes_meanwhile_is_a_conflict() {
    let folder = Folder::new();
    let path = folder.sqlite(&format!("PRAGMA journal_mode = WAL; {TWO_STATES}"));
    let mut source = open(json!({"sqlite": path})).unwrap();
    let state = source.states().unwrap().remove(0);
    // It ends with the log merged into the file.
    Connection::open(&path).unwrap().execute_batch("DELETE FROM files").unwrap();
    let error = source.files(&state, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.code.as_str(), "conflict", "{error}");
}

#[test]
fn a_path_with_any_character_is_found() {
    let folder = Folder::new();
    let path = folder.sqlite(&format!("PRAGMA journal_mode = WAL; {TWO_STATES}"));
    for name in ["a?mode=rwc.db", "100%20#.db", "ünï cödé.db", "a\\b\"c'.db"] {
        let other = folder.path(name);
        fs::rename(&path, &other).unwrap();
        assert_eq!(outline(json!({"sqlite": other})), AS_READ, "{name}");
        fs::rename(&other, &path).unwrap();
    }
}
