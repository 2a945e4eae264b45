//! What the stream of events tells of the node and the people around it.

use rpc::Event;

use super::listen::Listener;
use super::*;

#[test]
fn the_node_and_its_people_are_told_without_being_asked_for() {
    run(async {
        let alice = Alice::start_with("[network]\nrelays = false\n").await;
        let mut events = Listener::of(&alice, "/api/v1/events").await;
        let Some(Event::Snapshot { node, .. }) = events.next().await else { panic!("no snapshot") };
        let contacts = node.contacts.unwrap_or_default();
        assert_eq!((node.identity, contacts.len(), node.gate.unwrap().who), (None, 0, "everyone".to_owned()));
        assert!(node.offers.unwrap().len() > 5 && node.settings.unwrap().name.is_none());

        let order = json!({ "name": "Alice" });
        let made = alice.call(Method::POST, "/api/v1/identity").json(&order).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let of_identity = |event: &Event| matches!(event, Event::Node(node) if node.identity.is_some());
        let Event::Node(node) = events.until(of_identity).await else { unreachable!() };
        assert_eq!((node.identity.unwrap().name, node.nodes.unwrap().len()), ("Alice".to_owned(), 1));

        let change = json!({ "upload_bytes_per_s": 5000 });
        assert_eq!(alice.call(Method::PATCH, "/api/v1/budget").json(&change).send().await.unwrap().status(), 200);
        let of_budget = |event: &Event| matches!(event, Event::Node(node) if node.budget.is_some());
        let Event::Node(node) = events.until(of_budget).await else { unreachable!() };
        assert_eq!(node.budget.unwrap().now.upload_bytes_per_s, Some(5000));
        assert!(node.offers.is_none(), "only what changed is told");

        let invited = alice.call(Method::POST, "/api/v1/invites").json(&json!({})).send().await.unwrap();
        assert_eq!(invited.status(), 200);
        let of_invites = |event: &Event| matches!(event, Event::Node(node) if node.invites.is_some());
        events.until(of_invites).await;

        let stranger = base::PersonId([7; 32]).to_string();
        let path = format!("/api/v1/contacts/{stranger}");
        let blocked = alice.call(Method::PATCH, &path).json(&json!({ "blocked": true })).send().await.unwrap();
        assert_eq!(blocked.status(), 200);
        let of_contact = |event: &Event| matches!(event, Event::Contact(contact) if contact.person == stranger);
        events.until(of_contact).await;
        let Event::Rates(rates) = events.until(|event| matches!(event, Event::Rates(_))).await else { unreachable!() };
        let kept = alice.call(Method::GET, "/api/v1/rates").send().await.unwrap();
        assert!(kept.json::<Vec<rpc::Rates>>().await.unwrap().iter().any(|sample| sample.at_s == rates.at_s));
        alice.stop().await;
    });
}
