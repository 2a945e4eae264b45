//! Making an identity while the node runs, and the settings.

use rpc::{IdentityInfo, IdentityMade, SettingsInfo};

use super::*;

/// Nothing that would leave this computer.
const ALONE: &str = "# mine\n[network]\nrelays = false\n";

async fn settings(alice: &Alice) -> SettingsInfo {
    alice.call(Method::GET, "/api/v1/settings").send().await.unwrap().json().await.unwrap()
}

#[test]
fn an_identity_is_made_while_the_node_runs_and_stays() {
    run(async {
        let alice = Alice::start_with(ALONE).await;
        let (status, _) = problem(alice.call(Method::GET, "/api/v1/contacts").send().await.unwrap()).await;
        assert_eq!((status, settings(&alice).await.name), (404, None));
        let order = json!({ "name": "Alice", "node_name": "attic", "passphrase": "open sesame" });
        let made = alice.call(Method::POST, "/api/v1/identity").json(&order).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let made: IdentityMade = made.json().await.unwrap();
        let phrase = made.phrase.unwrap();
        assert_eq!((phrase.split(' ').count(), &made.restart), (24, &None));
        let info = made.identity.unwrap();
        assert_eq!((info.name.as_str(), info.node_name.as_deref(), info.passphrase), ("Alice", Some("attic"), true));
        // All that needs one is there at once.
        let link = alice.call(Method::POST, "/api/v1/invites").json(&json!({})).send().await.unwrap();
        assert_eq!(link.status(), 200);
        let group = json!({ "name": "choir", "kind": "open" });
        let group = alice.call(Method::POST, "/api/v1/groups").json(&group).send().await.unwrap();
        assert!(group.status().is_success(), "{}", group.text().await.unwrap());
        for path in ["/api/v1/chats", "/api/v1/inbox", "/api/v1/shares"] {
            assert_eq!(alice.call(Method::GET, path).send().await.unwrap().status(), 200, "{path}");
        }
        let again = alice.call(Method::POST, "/api/v1/identity").json(&order).send().await.unwrap();
        assert_eq!(problem(again).await.0, 409);

        let shown = alice.call(Method::POST, "/api/v1/identity/phrase").json(&json!({})).send().await.unwrap();
        assert_eq!(problem(shown).await.0, 409);
        let change = json!({ "old": "open sesame" });
        let changed = alice.call(Method::PUT, "/api/v1/identity/passphrase").json(&change).send().await.unwrap();
        assert!(!changed.json::<IdentityInfo>().await.unwrap().passphrase);
        let shown = alice.call(Method::POST, "/api/v1/identity/phrase").json(&json!({})).send().await.unwrap();
        assert_eq!(shown.json::<Value>().await.unwrap()["phrase"], phrase.as_str());
        let change = json!({ "name": "Alice Liddell", "node_name": "cellar" });
        let changed = alice.call(Method::PATCH, "/api/v1/identity").json(&change).send().await.unwrap();
        let changed: IdentityInfo = changed.json().await.unwrap();
        assert_eq!((changed.name.as_str(), changed.node_name.as_deref()), ("Alice Liddell", Some("cellar")));

        let alice = Alice::start_in(alice.stop().await).await;
        let kept = alice.call(Method::GET, "/api/v1/identity").send().await.unwrap();
        let kept: IdentityInfo = kept.json().await.unwrap();
        assert_eq!((kept.person, kept.name.as_str()), (made.person, "Alice Liddell"));
        alice.stop().await;
    });
}

#[test]
fn a_person_comes_back_by_the_phrase_while_the_node_runs() {
    run(async {
        let alice = Alice::start_with(ALONE).await;
        let order = json!({ "name": "Alice" });
        let made = alice.call(Method::POST, "/api/v1/identity").json(&order).send().await.unwrap();
        let made: IdentityMade = made.json().await.unwrap();
        alice.stop().await;

        let again = Alice::start_with(ALONE).await;
        let restore = |phrase: &str| {
            let order = json!({ "phrase": phrase, "name": "Alice", "node_name": "new" });
            again.call(Method::POST, "/api/v1/identity/restore").json(&order).send()
        };
        let (status, detail) = problem(restore("one two three").await.unwrap()).await;
        assert!(status == 400 && detail.contains("24 words"), "{detail}");
        let restored = restore(made.phrase.as_deref().unwrap()).await.unwrap();
        let restored: IdentityMade = restored.json().await.unwrap();
        assert_eq!((restored.person, restored.phrase, restored.restart), (made.person, None, None));
        assert_ne!(restored.identity.unwrap().node, made.identity.unwrap().node);
        again.stop().await;
    });
}

#[test]
fn settings_are_changed_in_their_file_and_hold_as_they_say() {
    run(async {
        let alice = Alice::start_with(ALONE).await;
        let folder = alice.home.path().join("new/films");
        let change = json!({
            "download_folder": folder, "published": false, "dht": false, "typing": false, "seed_ratio": 2.5,
            "seed_minutes": 90
        });
        let changed = alice.call(Method::PATCH, "/api/v1/settings").json(&change).send().await.unwrap();
        let changed: SettingsInfo = changed.json().await.unwrap();
        assert_eq!((changed.download_folder.as_str(), changed.published), (folder.to_str().unwrap(), false));
        assert_eq!((changed.seed_ratio, changed.seed_minutes, changed.typing), (Some(2.5), Some(90), false));
        assert_eq!((&changed, changed.restart.as_slice()), (&settings(&alice).await, &["dht".to_owned()][..]));
        assert!(folder.is_dir());
        let text = std::fs::read_to_string(alice.home.path().join("config.toml")).unwrap();
        assert!(text.contains("# mine") && text.contains("publish = false"), "{text}");
        let back = json!({ "dht": true, "seed_ratio": -1 });
        let back = alice.call(Method::PATCH, "/api/v1/settings").json(&back).send().await.unwrap();
        let back: SettingsInfo = back.json().await.unwrap();
        assert!(back.dht && back.restart.is_empty() && back.seed_ratio.is_none());
        for (change, words) in [
            (json!({ "download_folder": "films" }), "no absolute path"),
            (json!({ "download_folder": alice.home.path().join("token") }), "cannot be made a folder"),
            (json!({ "donwload_folder": "/x" }), "unknown field"),
        ] {
            let refused = alice.call(Method::PATCH, "/api/v1/settings").json(&change).send().await.unwrap();
            let (status, detail) = problem(refused).await;
            assert!(status == 400 && detail.contains(words), "{detail}");
        }
        alice.stop().await;
    });
}
