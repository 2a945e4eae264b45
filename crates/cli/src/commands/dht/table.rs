//! The table and its nodes.

use anyhow::Result;
use base::units::format_bytes;
use rpc::{DhtBucket, DhtFamily, DhtInfo, DhtNodeInfo};

use super::{Session, good};
use crate::out::{self, Table, clean};
use crate::show;

/// How many nodes a bucket has room for (BEP 5).
const BUCKET: u32 = 8;

/// How long a node that this command started may take to find others, before what there is is shown.
const FILL_TIME: std::time::Duration = std::time::Duration::from_secs(8);

/// Shows how the DHT is.
pub async fn summary(session: &mut Session<'_>) -> Result<Option<u8>> {
    let Some(info) = filled(session).await? else { return Ok(None) };
    if session.context.json {
        out::json(&info)?;
        return Ok(Some(0));
    }
    let families = [("IPv4", &info.v4), ("IPv6", &info.v6)];
    let mut shown = false;
    for (name, family) in families.into_iter().filter_map(|(name, family)| Some((name, family.as_ref()?))) {
        if shown {
            out::line("")?;
        }
        show_family(name, family)?;
        shown = true;
    }
    if !info.ready {
        session.live.note("");
        session.live.note("No node answers yet. `--bootstrap HOST:PORT` names one to begin with.");
    }
    Ok(Some(0))
}

/// Asks how the DHT is. A node that was started just now gets a moment to fill its table.
async fn filled(session: &mut Session<'_>) -> Result<Option<DhtInfo>> {
    let client = session.client().clone();
    let own = session.attached.is_own();
    let work = async {
        let deadline = tokio::time::Instant::now() + FILL_TIME;
        let mut before = 0;
        loop {
            let info: DhtInfo = client.get("/dht").await?;
            let now = good(&info);
            if !own || tokio::time::Instant::now() >= deadline || (now > 0 && now == before && info.tasks == 0) {
                return Ok(info);
            }
            before = now;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    session.wait("Entering the DHT", work).await
}

fn field(name: &str, value: impl AsRef<str>) -> Result<()> {
    let value = value.as_ref();
    if value.is_empty() { Ok(()) } else { out::line(format!("  {name:<9} {value}")) }
}

fn show_family(name: &str, family: &DhtFamily) -> Result<()> {
    let title = console::style(format!("DHT over {name}")).bold();
    if family.good + family.questionable + family.replacements == 0 {
        return out::line(format!("{title}  no node is known"));
    }
    let nodes = show::count(family.good as usize, "node answers", "nodes answer");
    let doubt = match family.questionable {
        0 => String::new(),
        number => format!(", {number} to be asked again"),
    };
    let read_only = if family.read_only { " (read-only: nobody can reach us)" } else { "" };
    out::line(format!("{title}  {nodes}{doubt}{read_only}"))?;
    field("id", &family.id)?;
    field("address", address(family))?;
    field("network", family.network_size.map(|size| format!("about {} nodes", rounded(size))).unwrap_or_default())?;
    field("serves", serves(family))?;
    let traffic = &family.traffic;
    let asked = format!("{} asked, {} answered", show::grouped(traffic.queries_out), show::grouped(traffic.queries_in));
    let dropped = match traffic.dropped {
        0 => String::new(),
        number => format!(", {} turned down", show::grouped(number)),
    };
    field("queries", format!("{asked}{dropped}"))?;
    let one_way = |packets, bytes| format!("{} in {} packets", format_bytes(bytes), show::grouped(packets));
    let sent = one_way(traffic.packets_out, traffic.bytes_out);
    field("traffic", format!("sent {sent}, received {}", one_way(traffic.packets_in, traffic.bytes_in)))?;
    field("last", clean(&family.message))?;
    let mut label = "table";
    for bucket in family.buckets.iter().filter(|bucket| bucket.good + bucket.questionable + bucket.replacements > 0) {
        field(label, bucket_line(bucket))?;
        label = "";
    }
    Ok(())
}

fn address(family: &DhtFamily) -> String {
    match (&family.external, family.secure) {
        (None, _) => "not known yet: others tell it".to_owned(),
        (Some(ip), true) => ip.clone(),
        (Some(ip), false) => format!("{ip}, which the id does not suit"),
    }
}

fn serves(family: &DhtFamily) -> String {
    let swarms = show::count(family.stored_swarms as usize, "swarm", "swarms");
    let peers = show::count(family.stored_peers as usize, "peer", "peers");
    let items = show::count(family.stored_items as usize, "item", "items");
    format!("{peers} of {swarms}, {items}")
}

/// A row of the table: how far away, a mark for each node, in numbers.
fn bucket_line(bucket: &DhtBucket) -> String {
    let cells = bucket.good + bucket.questionable;
    let good = console::style("●".repeat(bucket.good as usize)).green();
    let doubt = console::style("◐".repeat(bucket.questionable as usize)).yellow();
    let free = console::style("·".repeat(BUCKET.saturating_sub(cells) as usize)).dim();
    let waiting = match bucket.replacements {
        0 => String::new(),
        number => format!("  {number} waiting"),
    };
    format!("{:>3} bits  {good}{doubt}{free}{waiting}", bucket.bits)
}

/// Rounds an estimate to two digits.
fn rounded(number: u64) -> String {
    let unit = 10u64.pow(number.checked_ilog10().unwrap_or(0).saturating_sub(1));
    show::grouped((number + unit / 2) / unit * unit)
}

/// Lists the nodes of the table.
pub async fn nodes(session: &mut Session<'_>) -> Result<Option<u8>> {
    if filled(session).await?.is_none() {
        return Ok(None);
    }
    let mut nodes: Vec<DhtNodeInfo> = session.client().get("/dht/nodes").await?;
    nodes.sort_by_key(|node| (node.replacement, std::cmp::Reverse(node.bits)));
    show_nodes(session, &nodes, "No node is known yet. `--bootstrap HOST:PORT` names one to begin with.")?;
    Ok(Some(0))
}

/// Prints nodes, of the table or of a look-up.
pub fn show_nodes(session: &mut Session<'_>, nodes: &[DhtNodeInfo], none: &str) -> Result<()> {
    if session.context.json {
        return out::json(&nodes);
    }
    if nodes.is_empty() {
        session.live.note(none);
        return Ok(());
    }
    let mut table = Table::new(&["ID", "ADDRESS", "BITS", "ANSWERS IN", "HEARD", "STATE"], &[2, 3, 4], 0);
    for node in nodes {
        let state = match (node.replacement, node.good, node.secure) {
            (true, _, _) => "waiting",
            (_, false, _) => "to be asked again",
            (_, true, false) => "good, foreign id",
            (_, true, true) => "good",
        };
        table.row(vec![
            node.id.clone(),
            clean(&node.address),
            node.bits.to_string(),
            node.rtt_ms.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt} ms")),
            node.silent_s.map_or_else(|| "now".to_owned(), |silent| format!("{} ago", show::seconds(silent))),
            state.to_owned(),
        ]);
    }
    table.print()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_has_two_digits() {
        for (number, text) in [(0, "0"), (7, "7"), (44, "44"), (8_351_234, "8,400,000"), (999, "1,000")] {
            assert_eq!(rounded(number), text);
        }
    }
}
