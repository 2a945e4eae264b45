//! How much is kept, of whom, and for how long.

use super::*;

#[test]
fn a_full_box_takes_no_more_until_something_is_deleted() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    carol.register(2, BOB, &[tag(2)]);
    carol.register(3, ERIN, &[tag(3)]);
    assert_eq!(carol.deposit_by(98, 1, &[0; 20_000]), Answer::Kept);
    assert_eq!(carol.deposit(1, &[0; 40_000]), Answer::Kept);
    assert_eq!(carol.deposit(2, &[0; 40_001]), Answer::Refused(Refusal::Full), "one quota for all nodes of a person");
    assert_eq!(carol.deposit(2, &[0; 40_000]), Answer::Kept);
    assert_eq!(carol.deposit(1, &[0]), Answer::Refused(Refusal::Full));
    assert_eq!(carol.deposit(3, &[0]), Answer::Kept, "another's is not full");
    let ids = carol.fetch_all(1).into_iter().map(|(id, _)| id).collect();
    carol.answer(node(1), None, Request::Delete { ids });
    assert_eq!(carol.deposit_by(98, 1, &[0; 30_000]), Answer::Kept);

    carol.input(Input::Limits(Limits { total_bytes: 50_000, ..LIMITS }));
    assert_eq!(carol.deposit(3, &[0]), Answer::Refused(Refusal::Full), "of all there may be no more");
    assert_eq!(carol.fetch_all(1).len(), 1, "what is here stays");
}

#[test]
fn one_sender_does_not_fill_a_box_alone() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1), tag(2)]);
    carol.register(3, ERIN, &[tag(3)]);
    let mallory = 66;
    assert_eq!(carol.deposit_by(mallory, 1, &[0; 50_000]), Answer::Kept);
    assert_eq!(carol.deposit_by(mallory, 2, &[0]), Answer::Refused(Refusal::Full), "under another tag neither");
    assert_eq!(carol.deposit_by(mallory, 3, &[0]), Answer::Kept, "for somebody else");
    assert_eq!(carol.deposit(1, b"from Alice"), Answer::Kept);
    carol.pass(DAY_S);
    assert_eq!(carol.deposit_by(mallory, 1, &[0]), Answer::Kept, "on the next day");

    for n in 0..MAX_ENVELOPES as u32 / 2 + 10 {
        let kept = carol.deposit_by(mallory, 3, &[0]) == Answer::Kept;
        assert_eq!(kept, n < MAX_ENVELOPES as u32 / 2);
    }
}

#[test]
fn so_many_envelopes_and_so_many_boxes() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    let (mut kept, now) = (0, carol.now);
    let request = || Request::Deposit { tag: tag(1), envelope: vec![1] };
    for token in 0..MAX_ENVELOPES as u64 + 1 {
        let from = node(9 + (token % 3) as u8);
        carol.mailbox.handle(now, Input::Request { token, node: from, person: None, request: request() });
        while let Some(output) = carol.mailbox.poll_output() {
            match output {
                Output::Persist(changes) => changes.into_iter().for_each(|change| carol.commit(change)),
                Output::Answer(_, Answer::Kept) => kept += 1,
                other => assert_eq!(other, Output::Answer(token, Answer::Refused(Refusal::Full))),
            }
        }
    }
    assert_eq!(kept, MAX_ENVELOPES);
    assert_eq!(carol.fetch_all(1).len(), MAX_ENVELOPES, "page by page");

    let register = |carol: &mut Carol, n: u16, person: u16| {
        let (mut id, mut of) = ([0; 32], [0; 32]);
        id[..2].copy_from_slice(&n.to_be_bytes());
        of[..2].copy_from_slice(&person.to_be_bytes());
        carol.answer(NodeId(id), Some(PersonId(of)), Request::Register { tags: Vec::new() })
    };
    let mut carol = Carol::new();
    for n in 0..32 {
        assert_eq!(register(&mut carol, n, 0), registered());
    }
    assert_eq!(register(&mut carol, 32, 0), Answer::Refused(Refusal::TooManyRecipients), "one person's nodes");
    for n in 32..MAX_RECIPIENTS as u16 {
        assert_eq!(register(&mut carol, n, n), registered());
    }
    assert_eq!(register(&mut carol, 5_000, 5_000), Answer::Refused(Refusal::TooManyRecipients));
    assert_eq!(register(&mut carol, 0, 0), registered(), "who has a box may register again");
}

#[test]
fn what_nobody_fetches_for_a_month_goes_and_so_does_who_stays_away() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    carol.deposit(1, b"first day");
    carol.pass(10 * DAY_S);
    carol.deposit(1, b"tenth day");
    carol.pass(20 * DAY_S - 10);
    assert_eq!(carol.fetch_all(1).len(), 2);
    carol.pass(3_700);
    assert_eq!(bytes(carol.fetch_all(1)), [b"tenth day".to_vec()]);
    carol.restart();
    carol.pass(5 * DAY_S);
    assert_eq!(carol.fetch(1, 0), Answer::Refused(Refusal::NotRegistered));
    assert_eq!(carol.mailbox.usage(), Usage::default());
    assert_eq!(carol.mailbox.poll_timeout(), None, "an empty mailbox sleeps");
    assert_eq!(carol.deposit(1, b"gone"), Answer::Refused(Refusal::UnknownTag));
}

#[test]
fn thousands_expire_in_small_commits() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    for _ in 0..2_500 {
        carol.deposit(1, &[1]);
    }
    carol.pass(31 * DAY_S);
    assert_eq!(carol.envelopes.len(), 1_500);
    carol.pass(1);
    carol.pass(1);
    assert_eq!(carol.envelopes.len(), 0);
}
