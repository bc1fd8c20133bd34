use super::*;

/// [`TWO_STATES`], and then something that is wrong.
#[track_caller]
fn check(sql: &str, code: &str, facts: &[&str]) {
    let folder = Folder::new();
    let path = folder.sqlite(&format!("{TWO_STATES} {sql}"));
    check_refused(json!({"sqlite": path}), code, facts);
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = Folder::new();
    let no_database = ["is no SQLite database"];
    for content in ["", "hello", "SQLite format 3", &"x".repeat(5000)] {
        let path = folder.file("other", content);
        check_refused(json!({"sqlite": path}), "invalid", &no_database);
    }
    let header_only = folder.file("header", "SQLite format 3\0".to_owned() + &"x".repeat(5000));
    check_refused(json!({"sqlite": header_only}), "invalid", &["not a database"]);
    check_refused(json!({"sqlite": folder.path("nothing")}), "not_found", &["nothing"]);
    check_refused(json!({"sqlite": folder.path("header/it.db")}), "not_found", &["header"]);
    check_refused(json!({"sqlite": folder.0.path()}), "invalid", &["is no file"]);
}

#[test]
fn a_damaged_database_is_corrupt() {
    let folder = Folder::new();
    let filler = "INSERT INTO files SELECT 1, path || value, zeroblob(9000), NULL
                  FROM files, generate_series(1, 50)";
    let filler = filler.replace(
        "generate_series(1, 50)",
        "(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 50)
          SELECT value FROM n)",
    );
    let path = folder.sqlite(&format!("{TWO_STATES} {filler};"));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 3 / 4096 * 4096;
    bytes[middle..2 * middle].fill(0x55);
    let path = folder.file("it.db", bytes);
    check_refused(json!({"sqlite": path}), "corrupt", &["malformed"]);
}

#[test]
fn tables_and_columns_have_to_be_there() {
    check("DROP TABLE files", "invalid", &[r#""table":"files""#]);
    check("DROP TABLE states", "invalid", &[r#""table":"states""#]);
    check(
        "ALTER TABLE files RENAME content TO body",
        "invalid",
        &[r#""table":"files","column":"content""#],
    );
    check(
        "ALTER TABLE states RENAME id TO number",
        "invalid",
        &[r#""table":"states","column":"id""#],
    );
    check(
        "ALTER TABLE states DROP project_id; INSERT INTO projects VALUES (8, 'other')",
        "invalid",
        &["several projects", r#""column":"project_id""#],
    );
    let folder = Folder::new();
    let path = folder.sqlite(TWO_STATES);
    for (name, value) in [
        ("tables", json!({"projects": "nowhere"})),
        ("tables", json!({"files": "nowhere"})),
        ("columns", json!({"states": {"label": "nowhere"}})),
        ("columns", json!({"files": {"mode": "nowhere"}})),
    ] {
        let mut from = json!({"sqlite": path});
        from[name] = value;
        check_refused(from, "invalid", &["`nowhere`"]);
    }
}

#[test]
fn a_file_has_a_path_and_a_content() {
    let where_it_is = r#""state":"2","path":"a""#;
    check(
        "UPDATE files SET content = NULL WHERE state_id = 2 AND path = 'a'",
        "invalid",
        &["`a` has no content", where_it_is],
    );
    check("UPDATE files SET content = 42 WHERE mode", "invalid", &["a number", where_it_is]);
    check("INSERT INTO files VALUES (2, 'a', 'again', 1)", "invalid", &["a mode", where_it_is]);
    check(
        "INSERT INTO files VALUES (2, 'a', 'again', NULL)",
        "invalid",
        &["`a` is there twice", where_it_is],
    );
    check("UPDATE files SET path = NULL WHERE mode", "invalid", &["no path", r#""state":"2""#]);
}

#[test]
fn a_file_beyond_the_limit_is_too_large() {
    let folder = Folder::new();
    let path = folder.sqlite(TWO_STATES);
    let query = format!(
        "SELECT 'big' AS path, zeroblob({}) AS content WHERE $1 = 1",
        CONTENT_BYTES_MAX + 1
    );
    let facts = [r#""state":"1","path":"big","bytes":268435457,"limit":268435456"#];
    check_refused(json!({"sqlite": path, "files_query": query}), "too_large", &facts);
}

#[test]
fn paths_come_as_they_are() {
    let folder = Folder::new();
    let path = folder.sqlite(
        "CREATE TABLE states (id TEXT);
         CREATE TABLE files (state_id TEXT, path, content);
         INSERT INTO states VALUES ('s');
         INSERT INTO files VALUES ('s', '/etc/passwd', ''), ('s', '../up', ''), ('s', '', ''),
             ('s', CAST(x'ff2f80' AS TEXT), ''), ('s', x'fe', ''), ('s', 'a//b/', ''),
             ('s', CAST(x'610062' AS TEXT), '');",
    );
    let expected = r"s 0+0 '': = ../up= /etc/passwd= a\x00b= a//b/= \xfe= \xff/\x80=";
    assert_eq!(outline(json!({"sqlite": path})).trim_end(), expected);
}

#[test]
fn names_are_text() {
    let broken = "CAST(x'ff' AS TEXT)";
    check(
        &format!("UPDATE states SET author = {broken} WHERE id = 2"),
        "invalid",
        &["its author is no UTF-8", r#""state":"2""#],
    );
    check(&format!("UPDATE states SET created_at = {broken}"), "invalid", &["its time"]);
    let folder = Folder::new();
    let path = folder.sqlite(
        "CREATE TABLE states (id, label); CREATE TABLE files (state_id, path, content);
         INSERT INTO states VALUES (1, CAST(x'e4' AS TEXT));",
    );
    // Which encoding a label is in is for whoever writes the commit.
    assert_eq!(outline(json!({"sqlite": path})), "1 0+0 '\\xe4':\n");
    let id = format!("UPDATE states SET id = {broken}");
    Connection::open(&path).unwrap().execute_batch(&id).unwrap();
    check_refused(json!({"sqlite": path}), "invalid", &["its id is no UTF-8"]);
    Connection::open(&path).unwrap().execute_batch("UPDATE states SET id = NULL").unwrap();
    check_refused(json!({"sqlite": path}), "invalid", &["a state has no id"]);
}

#[test]
fn families_that_cannot_be_are_refused() {
    let second = r#""state":"2""#;
    check("UPDATE states SET parent_id = 2 WHERE id = 2", "invalid", &["its own parent", second]);
    check("UPDATE states SET parent_id = 9 WHERE id = 2", "invalid", &["`9` is not there", second]);
    check("UPDATE states SET parent_id = 2 WHERE id = 1", "invalid", &["its own ancestor"]);
    check(
        "CREATE TABLE other AS SELECT * FROM states; DROP TABLE states;
         ALTER TABLE other RENAME TO states; INSERT INTO states SELECT * FROM states",
        "invalid",
        &["another state has its id", r#""state":"1""#],
    );
}

#[test]
fn a_time_or_a_position_that_cannot_be_read_is_refused() {
    let facts = ["`yesterday` is no time", r#""state":"2""#];
    check("UPDATE states SET created_at = 'yesterday' WHERE id = 2", "invalid", &facts);
    let facts = ["position `x` is no whole number", r#""state":"2""#];
    check("UPDATE states SET position = 'x' WHERE id = 2", "invalid", &facts);
}

#[test]
fn a_query_only_reads_and_only_this_database() {
    let folder = Folder::new();
    let path = folder.sqlite(TWO_STATES);
    let before = folder.all();
    let elsewhere = folder.path("elsewhere.db");
    for query in [
        format!("ATTACH '{}' AS other", elsewhere.display()),
        format!("VACUUM INTO '{}'", elsewhere.display()),
        "DELETE FROM files RETURNING state_id AS id".to_owned(),
        "SELECT 1 AS id) AS q; DELETE FROM files; SELECT (1".to_owned(),
        "PRAGMA journal_mode = WAL".to_owned(),
        "SELECT journal_mode AS id FROM pragma_journal_mode('WAL')".to_owned(),
        "SELECT load_extension('/lib/evil.so') AS id".to_owned(),
        "SELECT writefile('/elsewhere', 'x') AS id".to_owned(),
        "no statement".to_owned(),
    ] {
        let from = json!({"sqlite": path, "states_query": query});
        let error = read(from).expect_err(&query);
        assert!(["bad_request", "invalid"].contains(&error.code.as_str()), "{query}: {error}");
    }
    assert_eq!(folder.all(), before);
}
