use ::postgres::{Client, NoTls};

use super::{
    postgres_server::{PASSWORD, Postgres},
    *,
};

const TABLES: &str = "
    CREATE TABLE projects (id uuid PRIMARY KEY, name text);
    CREATE TABLE states (id uuid PRIMARY KEY, project_id uuid, parent_id uuid, position int,
        label text, author varchar(50), email text, created_at timestamptz);
    CREATE TABLE files (state_id uuid, path text, content bytea, mode int);
    INSERT INTO projects VALUES ('00000000-0000-0000-0000-000000000007', 'app');
    INSERT INTO states VALUES
        ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000007', NULL, 0,
            'first', 'Ada', 'ada@example.org', '2023-11-14 22:13:20.9+00'),
        ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000007',
            '00000000-0000-0000-0000-000000000001', 1, 'ü', NULL, NULL, '2023-11-14 23:14:20+01');
    INSERT INTO files VALUES ('00000000-0000-0000-0000-000000000001', 'a', 'one', NULL),
        ('00000000-0000-0000-0000-000000000002', 'a', 'two', 33261),
        ('00000000-0000-0000-0000-000000000002', '../b', '\\x00ff', NULL);";

fn run(server: &Postgres, sql: &str) {
    Client::connect(&server.url(), NoTls).unwrap().batch_execute(sql).unwrap();
}

#[test]
fn states_and_files_are_read() {
    let server = Postgres::start();
    run(&server, TABLES);
    let url = server.url();
    let id = |it: u32| format!("00000000-0000-0000-0000-{it:012}");
    let (first, second) = (id(1), id(2));
    let expected = format!(
        "{first} 1700000000+0 'first' Ada ada@example.org: a=one\n\
         {second}<{first} 1700000060+0 '\\xc3\\xbc': ../b=\\x00\\xff a=two(755)\n"
    );
    assert_eq!(outline(json!({"postgres": url})), expected);
    for project in [id(7), "app".to_owned()] {
        assert_eq!(outline(json!({"postgres": url, "project": project})), expected);
    }
    check_refused(json!({"postgres": url, "project": id(8)}), "not_found", &["`00000000-"]);

    // Numbers, text, other names, and what need not be there.
    run(
        &server,
        r#"CREATE TABLE "the ""states""" (number bigint, at bigint, "Label" json);
           CREATE TABLE "Content" (number bigint, name varchar, words text);
           INSERT INTO "the ""states""" VALUES (10, 1700000000999, '"x"'), (9, 1, NULL);
           INSERT INTO "Content" VALUES (10, 'ü', 'ä'), (9, 'b', '');"#,
    );
    let tables = json!({"projects": "none", "states": "the \"states\"", "files": "Content"});
    let columns = json!({
        "states": {"id": "number", "created_at": "at", "label": "Label"},
        "files": {"state_id": "number", "path": "name", "content": "words"},
    });
    let mut from = json!({"postgres": url, "tables": tables, "columns": columns});
    check_refused(from.clone(), "invalid", &[r#""table":"none""#]);
    from["tables"].as_object_mut().unwrap().remove("projects");
    let expected = "9 1+0 '': b=\n10<9 1700000000+0 '\\\"x\\\"': \\xc3\\xbc=\\xc3\\xa4\n";
    assert_eq!(outline(from), expected);

    // Queries.
    let mut from = json!({
        "postgres": url,
        "states_query": "SELECT id, parent_id, label FROM states WHERE project_id = $1; ",
        "files_query": "SELECT path, content FROM files WHERE state_id = $1 -- all",
    });
    check_refused(from.clone(), "bad_request", &["no project is named"]);
    from["project"] = json!(id(7));
    let expected = format!(
        "{first} 0+0 'first': a=one\n{second}<{first} 0+0 '\\xc3\\xbc': ../b=\\x00\\xff a=two\n"
    );
    assert_eq!(outline(from), expected);
}

#[test]
fn one_moment_is_seen_and_nothing_is_written() {
    let server = Postgres::start();
    run(&server, TABLES);
    run(
        &server,
        "CREATE FUNCTION wipe() RETURNS uuid LANGUAGE sql AS
        'DELETE FROM files RETURNING state_id'",
    );
    let url = server.url();
    let mut source = open(json!({"postgres": url})).unwrap();
    let states = source.states().unwrap();
    run(&server, "UPDATE files SET content = NULL");
    assert_eq!(count_files(&mut *source, &states[1]), 2);
    // What somebody says against a file ends only that.
    source.files(&states[1], &mut |_| Err(Error::denied("no"))).unwrap_err();
    assert_eq!(count_files(&mut *source, &states[0]), 1);
    drop(source);
    check_refused(json!({"postgres": url}), "invalid", &["`a` has no content", r#""path":"a""#]);

    for query in [
        "SELECT wipe() AS id",
        "DELETE FROM files RETURNING state_id AS id",
        "SELECT 1 AS id) AS q; DROP TABLE files; SELECT (1",
        "no statement",
        "SELECT id FROM nowhere",
    ] {
        check_refused(json!({"postgres": url, "states_query": query}), "bad_request", &[]);
    }
    assert_eq!(open(json!({"postgres": url})).unwrap().states().unwrap(), states);
}

#[test]
fn what_is_wrong_with_a_database_is_said() {
    let server = Postgres::start();
    let url = server.url();
    check_refused(json!({"postgres": url}), "invalid", &[r#""table":"files""#]);
    run(&server, TABLES);
    let second = "id = '00000000-0000-0000-0000-000000000002'";
    for (sql, facts) in [
        ("UPDATE states SET created_at = 'infinity'".to_owned(), ["`infinity` is no time"]),
        (format!("UPDATE states SET parent_id = id WHERE {second}"), ["its own parent"]),
        (format!("UPDATE states SET parent_id = project_id WHERE {second}"), ["is not there"]),
        ("INSERT INTO files SELECT * FROM files".to_owned(), ["is there twice"]),
        ("ALTER TABLE files RENAME content TO body".to_owned(), [r#""column":"content""#]),
    ] {
        run(&server, "DROP TABLE projects, states, files");
        run(&server, TABLES);
        run(&server, &sql);
        check_refused(json!({"postgres": url}), "invalid", &facts);
    }
    run(&server, "DROP TABLE projects, states, files");
    run(&server, TABLES);
    run(&server, "INSERT INTO projects VALUES ('00000000-0000-0000-0000-000000000008', 'b')");
    check_refused(json!({"postgres": url}), "bad_request", &[r#""field":"project""#]);
    // Compressing it would take the server most of the test's time.
    let big = "CREATE TABLE big (content text);
        ALTER TABLE big ALTER content SET STORAGE EXTERNAL;
        INSERT INTO big SELECT repeat('x', 268435457)";
    run(&server, big);
    check_refused(
        json!({"postgres": url, "states_query": "SELECT id::text FROM states",
        "files_query": "SELECT 'big' AS path, content FROM big WHERE $1 <> ''"}),
        "too_large",
        &[r#""bytes":268435457"#],
    );
}

#[test]
fn a_server_that_cannot_be_used_is_told_apart_and_no_password_is_shown() {
    let server = Postgres::start();
    let refused = |url: &str, code: &str| {
        let error = read(json!({"postgres": url})).expect_err(url);
        assert_eq!(error.code.as_str(), code, "{error}");
        let text = serde_json::to_string(&error).unwrap();
        assert!(!text.contains(PASSWORD) && !text.contains("wr0ng"), "{text}");
    };
    let url = server.network_url();
    refused(&url.replace(PASSWORD, "wr0ng"), "unauthorized");
    refused(
        &url.replace("/postgres", "/nothing").replace("nothing://", "postgres://"),
        "not_found",
    );
    refused(&url.replace("postgres://", "mysql://"), "bad_request");
    for query in
        ["wr0ng=wr0ng", "sslmode=wr0ng", "connect_timeout=wr0ng", "sslmode=require&sslmode=disable"]
    {
        refused(&format!("{url}?{query}"), "bad_request");
    }
    refused(&url.replace(PASSWORD, "wr0ng?/@:%"), "bad_request");
    refused("postgres://u:wr0ng@127.0.0.1:1/x", "unavailable");
    refused("postgres://u:wr0ng@/x?host=/nowhere", "unavailable");

    let database = json!({"postgres": url, "project": "p"});
    let database: Database = serde_json::from_value(database).unwrap();
    assert!(!format!("{database:?}").contains(PASSWORD));
}

#[test]
fn a_certificate_is_looked_at_where_the_request_says_so() {
    let server = Postgres::start();
    let url = server.network_url();
    run(&server, TABLES);
    // Who is connected without TLS sees nothing.
    run(
        &server,
        "ALTER TABLE states RENAME TO all_states; CREATE VIEW states AS
        SELECT s.* FROM all_states s, pg_stat_ssl t WHERE t.pid = pg_backend_pid() AND t.ssl",
    );
    let count = |query: &str| read(json!({"postgres": format!("{url}{query}")})).map(|it| it.len());
    assert_eq!(count(""), Ok(2));
    assert_eq!(count("?sslmode=prefer"), Ok(2));
    assert_eq!(count("?sslmode=disable"), Ok(0));
    let authority = server.certificate_file();
    for mode in ["require", "verify-full", "verify-ca"] {
        let error = count(&format!("?sslmode={mode}")).unwrap_err();
        assert_eq!(error.code.as_str(), "unavailable", "{error}");
        assert!(error.message.contains("certificate"), "{error}");
        let trusted = format!("?sslmode={mode}&sslrootcert={}", authority.display());
        assert_eq!(count(&trusted), Ok(2));
    }
    let error = count("?sslmode=require&sslrootcert=/nowhere").unwrap_err();
    assert_eq!(error.code.as_str(), "bad_request", "{error}");
}
