//! Where nothing is to be mapped. What routers do is proven with a real one: `interop/cases/nat.py`.

use super::*;

#[tokio::test]
async fn on_loopback_nothing_is_tried_and_stopping_is_quick() {
    let mapping = PortMapping::start(&["127.0.0.1:7".parse().unwrap(), "[::1]:7".parse().unwrap()]);
    let mut status = mapping.watch();
    let said = status.wait_for(|status| !status.last_words.is_empty()).await.unwrap().clone();
    assert!(said.last_words.starts_with("not needed"), "{said:?}");
    assert_eq!((said.gateway, said.tcp), (None, None));
    mapping.stop().await;
    mapping.stop().await;
    assert_eq!(mapping.status().last_words, "stopped");
}
