//! Through a web proxy: the one given, the environment's, or none.
//!
//! The hosts asked for do not exist: who reaches them went through the proxy. Plain http goes through
//! one only with stock git, and without it nowhere.

use serde_json::{Value, json};

use super::{BUILT_IN, Place, STOCK_GIT, each_way, lsremote, sync, with};
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
        let secure =
            HttpServer::start_tls(origin.folder(), &authority.sign("DNS:git.invalid,IP:127.0.0.1"));
        Behind { origin, authority, plain, secure }
    }

    /// The servers that can be reached through a proxy, with the flags of who can.
    fn ways(&self) -> [(&[&str], &HttpServer); 3] {
        [(BUILT_IN, &self.secure), (STOCK_GIT, &self.secure), (STOCK_GIT, &self.plain)]
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
    for (flags, server) in behind.ways() {
        let proxy = Proxy::to(server.address());
        let mut daemon = Daemon::start_with(flags);
        let url = format!("http://{}", proxy.address());
        behind.is_reached(&mut daemon, server, json!(url));
        // The next request does not have it.
        let host = server.url_at("git.invalid", "open/project.git");
        daemon.refused("unavailable", lsremote(host));
    }
}

#[test]
fn plain_http_through_a_proxy_is_unsupported_without_stock_git_and_never_goes_direct() {
    let behind = Behind::new();
    let url = behind.plain.url("open/project.git");
    let proxy = Proxy::to(behind.plain.address());
    let address = format!("http://{}", proxy.address());
    let variables = [("http_proxy", address.as_str())];
    let mut daemon = Daemon::start_in(tempfile::tempdir().unwrap(), BUILT_IN, &variables);
    let place = Place::new();
    for arguments in [json!({}), json!({"proxy": address})] {
        for request in [lsremote(&url), sync(&url, &place.path())] {
            let reply = daemon.refused("unsupported", with(request, arguments.clone()));
            assert!(reply["feature"].is_string(), "{reply}");
        }
    }
    assert!(behind.plain.served().is_empty() && place.names().is_empty());
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
    for (flags, server) in behind.ways() {
        let proxy = Proxy::guarded(server.address(), &credentials);
        let mut daemon = Daemon::start_with(flags);
        let url = format!("http://{credentials}@{}", proxy.address());
        behind.is_reached(&mut daemon, server, json!(url));
        let ca = json!({"ca": behind.authority.certificate()});
        let host = server.url_at("git.invalid", "open/project.git");
        for user in ["", "user:wrong-0123456789@"] {
            let before = proxy.heads().len();
            let proxied = json!({"proxy": format!("http://{user}{}", proxy.address())});
            let request = with(with(lsremote(&host), ca.clone()), proxied);
            let reply = daemon.refused("unauthorized", request);
            assert!(!reply.to_string().contains("wrong-0123456789"), "{reply}");
            assert!(proxy.heads().len() - before <= 4);
        }
    }
}

#[test]
fn without_a_word_the_environment_decides() {
    let behind = Behind::new();
    for (flags, server) in behind.ways() {
        let proxies = [Proxy::to(behind.plain.address()), Proxy::to(behind.secure.address())];
        let urls = proxies.each_ref().map(|proxy| format!("http://{}", proxy.address()));
        let variables = [("http_proxy", urls[0].as_str()), ("https_proxy", urls[1].as_str())];
        let home = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start_in(home, flags, &variables);
        behind.is_reached(&mut daemon, server, Value::Null);
    }
}

#[test]
fn the_environment_can_name_hosts_that_need_no_proxy() {
    let behind = Behind::new();
    for (flags, server) in behind.ways() {
        let proxy = Proxy::to(server.address());
        let address = format!("http://{}", proxy.address());
        let ca = json!({"ca": behind.authority.certificate()});
        let url = server.url("open/project.git");
        for (no_proxy, through) in [("127.0.0.1", false), ("other.invalid", true)] {
            let address = address.as_str();
            let proxies = [("http_proxy", address), ("https_proxy", address)];
            let variables = [proxies[0], proxies[1], ("no_proxy", no_proxy)];
            let home = tempfile::tempdir().unwrap();
            let mut daemon = Daemon::start_in(home, flags, &variables);
            let place = Place::new();
            let before = proxy.heads().len();
            daemon.ok(with(lsremote(&url), ca.clone()));
            daemon.ok(with(sync(&url, &place.path()), ca.clone()));
            assert_eq!(proxy.heads().len() > before, through, "no_proxy={no_proxy}");
        }
    }
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
    let behind = Behind::new();
    let closed = Closed::new();
    for (flags, server) in behind.ways() {
        let proxy = format!("http://{}", closed.address());
        let arguments = json!({"proxy": proxy, "ca": behind.authority.certificate()});
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let url = server.url("open/project.git");
        for request in [lsremote(&url), sync(&url, &place.path())] {
            daemon.refused("unavailable", with(request, arguments.clone()));
        }
        assert!(place.names().is_empty() && server.served().is_empty());
    }
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
