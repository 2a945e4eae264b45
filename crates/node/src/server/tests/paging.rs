//! Lists, page by page.

use super::*;

#[test]
fn a_list_is_answered_whole_or_page_by_page() {
    run(async {
        let alice = Alice::start().await;
        for name in ["a", "b", "c"] {
            let file = alice.home.path().join(name);
            std::fs::write(&file, name).unwrap();
            alice.share(json!({ "path": file.to_str().unwrap() })).await;
        }
        let get = async |query: &str| {
            let answer = alice.call(Method::GET, &format!("/api/v1/torrents{query}")).send().await.unwrap();
            let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let (total, link) = (header("x-total-count"), header("link"));
            let list: Vec<rpc::TorrentSummary> = answer.json().await.unwrap();
            (list.into_iter().map(|torrent| torrent.id).collect::<Vec<_>>(), total, link)
        };
        let (all, total, link) = get("").await;
        assert_eq!((all.len(), total, link), (3, None, None));
        let next = |offset| Some(format!("</api/v1/torrents?offset={offset}&limit=1>; rel=\"next\""));
        let total = Some("3".to_owned());
        assert_eq!(get("?limit=1").await, (all[..1].to_vec(), total.clone(), next(1)));
        assert_eq!(get("?offset=1&limit=1").await, (all[1..2].to_vec(), total.clone(), next(2)));
        assert_eq!(get("?limit=1&offset=2").await, (all[2..].to_vec(), total.clone(), None));
        assert_eq!(get("?offset=1").await, (all[1..].to_vec(), total.clone(), None));
        assert_eq!(get("?offset=4000000000").await, (Vec::new(), total.clone(), None));
        assert_eq!(get("?limit=0").await, (Vec::new(), total, None));
        for wrong in ["?limit=x", "?offset=-1"] {
            let answer = alice.call(Method::GET, &format!("/api/v1/torrents{wrong}")).send().await.unwrap();
            assert_eq!(problem(answer).await.0, 400, "{wrong}");
        }
        let one = alice.call(Method::GET, &format!("/api/v1/torrents/{}?limit=1", all[0])).send().await.unwrap();
        assert_eq!(one.json::<rpc::TorrentDetail>().await.unwrap().summary.id, all[0], "what is no list is not cut");
        alice.stop().await;
    });
}

#[test]
fn every_list_says_how_its_pages_are_asked_for() {
    let document = serde_json::to_value(crate::openapi()).unwrap();
    let mut lists = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(call) = operations.get("get") else { continue };
        if call["responses"]["200"]["content"]["application/json"]["schema"]["type"] != "array" {
            continue;
        }
        lists += 1;
        for name in ["offset", "limit"] {
            let named = call["parameters"].as_array().unwrap().iter().filter(|it| it["name"] == name).count();
            assert_eq!(named, 1, "{path}: {name}");
        }
    }
    assert!(lists > 15, "{lists}");
}
