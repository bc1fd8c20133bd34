//! Through a web proxy: the one given, the environment's, or none.
//!
//! The hosts asked for do not exist: who reaches them went through the proxy.

use serde_json::{Value, json};

use super::{Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        hostile::Closed,
        http::{HttpServer, PASSWORD, USER},
        origin::Origin,
        proxy::Proxy,
        tls::Authority,
    },
};

const PROXY_PASSWORD: &str = "proxy-password-0123456789";

struct Behind {
    origin: Origin,
    authority: Authority,
    plain: HttpServer,
    secure: HttpServer,
}

impl Behind {
    fn new() -> Behind {
        let (origin, authority) = (Origin::new(), Authority::new());
        let plain = HttpServer::start(origin.folder());
        let secure = HttpServer::start_tls(origin.folder(), &authority.sign("DNS:git.invalid"));
        Behind { origin, authority, plain, secure }
    }

    /// Clones, fetches and lists from the host that does not exist.
    fn is_reached(&self, daemon: &mut Daemon, server: &HttpServer, proxy: Value) {
        let place = Place::new();
        let url = server.url_at("git.invalid", "closed/project.git");
        let auth = json!({"user": USER, "password": PASSWORD});
        let arguments = json!({"auth": auth, "ca": self.authority.certificate(), "proxy": proxy});
        for _ in 0..2 {
            let id = daemon.ok(with(sync(&url, &place.path()), arguments.clone()));
            assert_eq!(id, self.origin.tip("main"));
        }
        place.is_sound("main", &self.origin.tip("main"));
        daemon.ok(with(lsremote(&url), arguments));
    }
}

#[test]
fn a_proxy_that_is_given_is_used() {
    let behind = Behind::new();
    each_way(|flags| {
        for server in [&behind.plain, &behind.secure] {
            let proxy = Proxy::to(server.address());
            let mut daemon = Daemon::start_with(flags);
            let url = format!("http://{}", proxy.address());
            behind.is_reached(&mut daemon, server, json!(url));
            // The next request does not have it.
            let host = server.url_at("git.invalid", "open/project.git");
            daemon.refused("unavailable", lsremote(host));
        }
    });
}

#[test]
fn credentials_for_the_remote_do_not_reach_the_proxy_over_https() {
    let behind = Behind::new();
    each_way(|flags| {
        let proxy = Proxy::to(behind.secure.address());
        let url = format!("http://{}", proxy.address());
        behind.is_reached(&mut Daemon::start_with(flags), &behind.secure, json!(url));
        for head in proxy.heads() {
            assert_eq!(head.method, "CONNECT");
            assert_eq!(head.value("authorization"), None, "{}", head.text());
        }
    });
}

#[test]
fn a_proxy_with_a_password_is_used_with_it_and_only_with_it() {
    let behind = Behind::new();
    let credentials = format!("user:{PROXY_PASSWORD}");
    each_way(|flags| {
        for server in [&behind.plain, &behind.secure] {
            let proxy = Proxy::guarded(server.address(), &credentials);
            let mut daemon = Daemon::start_with(flags);
            let url = format!("http://{credentials}@{}", proxy.address());
            behind.is_reached(&mut daemon, server, json!(url));
            let host = server.url_at("git.invalid", "open/project.git");
            for user in ["", "user:wrong-0123456789@"] {
                let before = proxy.heads().len();
                let url = format!("http://{user}{}", proxy.address());
                let reply =
                    daemon.refused("unauthorized", with(lsremote(&host), json!({"proxy": url})));
                assert!(!reply.to_string().contains("wrong-0123456789"), "{reply}");
                assert!(proxy.heads().len() - before <= 4);
            }
        }
        for served in behind.plain.served().iter().chain(&behind.secure.served()) {
            assert!(!served.authorization.is_empty(), "{served:?}");
        }
    });
}

#[test]
fn without_a_word_the_environment_decides() {
    let behind = Behind::new();
    each_way(|flags| {
        let proxies = [Proxy::to(behind.plain.address()), Proxy::to(behind.secure.address())];
        let urls = proxies.each_ref().map(|proxy| format!("http://{}", proxy.address()));
        let variables = [("http_proxy", urls[0].as_str()), ("https_proxy", urls[1].as_str())];
        let home = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start_in(home, flags, &variables);
        behind.is_reached(&mut daemon, &behind.plain, Value::Null);
        behind.is_reached(&mut daemon, &behind.secure, Value::Null);
        assert!(proxies.iter().all(|proxy| !proxy.heads().is_empty()));
    });
}

#[test]
fn the_environment_can_name_hosts_that_need_no_proxy() {
    let behind = Behind::new();
    let url = behind.plain.url("open/project.git");
    each_way(|flags| {
        let proxy = Proxy::to(behind.plain.address());
        let address = format!("http://{}", proxy.address());
        for (no_proxy, through) in [("127.0.0.1", false), ("other.invalid", true)] {
            let variables = [("http_proxy", address.as_str()), ("no_proxy", no_proxy)];
            let home = tempfile::tempdir().unwrap();
            let mut daemon = Daemon::start_in(home, flags, &variables);
            let place = Place::new();
            let before = proxy.heads().len();
            daemon.ok(lsremote(&url));
            daemon.ok(sync(&url, &place.path()));
            assert_eq!(proxy.heads().len() > before, through, "no_proxy={no_proxy}");
        }
    });
}

#[test]
fn none_means_none_whatever_the_environment_says() {
    let behind = Behind::new();
    let url = behind.plain.url("open/project.git");
    each_way(|flags| {
        let proxy = Proxy::to(behind.plain.address());
        let address = format!("http://{}", proxy.address());
        let variables = [("http_proxy", address.as_str()), ("all_proxy", address.as_str())];
        let mut daemon = Daemon::start_in(tempfile::tempdir().unwrap(), flags, &variables);
        let place = Place::new();
        let none = json!({"proxy": "none"});
        daemon.ok(with(lsremote(&url), none.clone()));
        daemon.ok(with(sync(&url, &place.path()), none));
        assert!(proxy.heads().is_empty());
    });
}

#[test]
fn a_proxy_that_is_not_there_is_unavailable() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    let closed = Closed::new();
    each_way(|flags| {
        let proxy = json!({"proxy": format!("http://{}", closed.address())});
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        daemon.refused("unavailable", with(lsremote(&url), proxy.clone()));
        daemon.refused("unavailable", with(sync(&url, &place.path()), proxy));
        assert!(place.names().is_empty());
    });
    assert!(server.served().is_empty());
}

#[test]
fn a_proxy_that_is_no_web_address_is_a_bad_request() {
    let mut daemon = Daemon::start();
    for proxy in ["nonsense", "ftp://127.0.0.1:1", "", "http://"] {
        let request = with(lsremote("http://127.0.0.1:1/x.git"), json!({"proxy": proxy}));
        let reply = daemon.refused("bad_request", request);
        assert_eq!(reply["field"], "proxy", "{reply}");
    }
}
