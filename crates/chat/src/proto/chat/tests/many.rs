//! Many nodes and many messages: what it costs must not grow with what was said before.

use std::time::Duration;

use base::PersonId;

use super::super::super::message::Body;
use super::world::*;

/// How many people, each with two nodes, and how many messages. `cargo nextest run --release` does ten thousand in some
/// seconds; here are as many as an unoptimised build does in that time.
const PEOPLE: u8 = 20;
const MESSAGES: u32 = 300;

#[test]
fn forty_nodes_talk() {
    let people: Vec<_> = (1..=PEOPLE).map(|number| (PersonId([number; 32]), 2)).collect();
    let mut world = World::in_a_room(&people);
    for number in 0..MESSAGES {
        let writer = (number % u32::from(PEOPLE)) as u8 + 1;
        let body = Body::Text { text: number.to_string(), answers: None };
        world.write(node(PersonId([writer; 32]), 1 + (number % 2) as u8), &room(), body);
        world.run(Duration::from_millis(200));
    }
    world.run(seconds(600));
    for actor in world.actors.values() {
        assert_eq!(actor.history.len(), MESSAGES as usize);
        assert!(actor.facts.len() < 400, "{}", actor.facts.len());
    }
    world.assert_settled();
}
