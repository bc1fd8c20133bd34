//! Syncs of one path wait for each other, whatever the path is spelled like; others do not.

use serde_json::{Value, json};

use super::{Place, each_way, sync, with};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    servers::{hostile, http::HttpServer, origin::Origin},
};

fn ids(replies: &[Value]) -> Vec<&str> {
    replies.iter().map(|reply| reply["id"].as_str().unwrap()).collect()
}

#[test]
fn two_syncs_of_one_path_are_ordered_and_of_two_paths_are_not() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let silent = hostile::silent();
    let hanging = format!("http://{}/x.git", silent.address());
    each_way(|flags| {
        for spelling in ["clone", "clone/", "./clone", "link/clone"] {
            let (place, other) = (Place::new(), Place::new());
            std::os::unix::fs::symlink(".", place.at("link")).unwrap();
            let same = place.at(spelling);
            let mut daemon = Daemon::start_with(flags);
            let url = server.url("open/project.git");
            daemon.send(with(sync(&hanging, &place.path()), json!({"id": "first"})));
            until("the first is on its way", PATIENCE, || !daemon.children().is_empty());
            daemon.send(with(sync(&url, &same), json!({"id": "second"})));
            daemon.send(with(sync(&url, &other.path()), json!({"id": "other"})));
            let reply = daemon.receive();
            assert_eq!(reply, json!({"id": "other", "ok": origin.tip("main")}), "{same:?}");
            daemon.send(json!({"op": "cancel", "id": "end", "request": "first"}));
            let replies = daemon.receive_many(3);
            let order = ids(&replies);
            let place_of = |id| order.iter().position(|it| *it == id).unwrap();
            assert!(place_of("first") < place_of("second"), "{replies:?}");
            assert_eq!(replies[place_of("first")]["code"], "cancelled");
            assert_eq!(replies[place_of("second")]["ok"], origin.tip("main"), "{replies:?}");
            place.is_sound("main", &origin.tip("main"));
        }
    });
}

#[test]
fn a_cancelled_sync_that_waits_for_another_never_starts() {
    let silent = hostile::silent();
    let waited = hostile::silent();
    let place = Place::new();
    let mut daemon = Daemon::start();
    let url = |address| format!("http://{address}/x.git");
    daemon.send(with(sync(url(silent.address()), &place.path()), json!({"id": "first"})));
    until("the first is on its way", PATIENCE, || silent.accepted() > 0);
    daemon.send(with(sync(url(waited.address()), &place.path()), json!({"id": "second"})));
    daemon.send(json!({"op": "cancel", "id": "end", "request": "second"}));
    let mut replies = daemon.receive_many(2);
    replies.sort_by_key(|reply| reply["id"].to_string());
    assert_eq!(ids(&replies), ["end", "second"]);
    assert_eq!(replies[1]["code"], "cancelled");
    assert_eq!(waited.accepted(), 0);
}

#[test]
fn many_syncs_of_few_paths_all_end_well() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let places = [Place::new(), Place::new(), Place::new()];
        let mut daemon = Daemon::start_with(flags);
        for id in 0..24 {
            let place = &places[id % places.len()];
            let branch = if id % 2 == 0 { "main" } else { "side" };
            let request = sync(server.url("open/project.git"), &place.path());
            daemon.send(with(request, json!({"id": id, "branch": branch})));
        }
        for reply in daemon.receive_many(24) {
            let branch = if reply["id"].as_u64().unwrap() % 2 == 0 { "main" } else { "side" };
            assert_eq!(reply["ok"], origin.tip(branch), "{reply}");
        }
        // Each path saw both branches in turn; the last it was asked for is the one it shows.
        for (number, place) in places.iter().enumerate() {
            let last = 21 + number;
            let branch = if last % 2 == 0 { "main" } else { "side" };
            place.is_sound(branch, &origin.tip(branch));
            assert_eq!(place.names(), ["clone"]);
        }
    });
}

#[test]
fn a_checkout_waits_for_a_sync_of_the_same_path() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let relay = crate::servers::relay::Relay::to(server.address());
    let url = server.url_at(&relay.address().to_string(), "open/project.git");
    let place = Place::new();
    let mut daemon = Daemon::start();
    let request = with(sync(url, &place.path()), json!({"depth": 0}));
    daemon.ok(request.clone());
    origin.commit("main", &[("readme.txt", "newer\n")]);
    relay.fail_after(0, crate::servers::relay::Kind::Stall);
    daemon.send(with(request, json!({"id": "sync"})));
    until("the sync is on its way", PATIENCE, || !daemon.children().is_empty());
    let checkout =
        json!({"op": "checkout", "id": "checkout", "path": place.path(), "sha": "HEAD~1"});
    daemon.send(checkout);
    daemon.ok(json!({"op": "head", "path": place.path()}));
    daemon.send(json!({"op": "cancel", "id": "end", "request": "sync"}));
    let replies = daemon.receive_many(3);
    let order = ids(&replies);
    let place_of = |id| order.iter().position(|it| *it == id).unwrap();
    assert!(place_of("sync") < place_of("checkout"), "{replies:?}");
    assert!(replies[place_of("checkout")]["ok"].is_string(), "{replies:?}");
}
