//! A network namespace that has a loopback and no route: what tries to reach the outside fails there.

use crate::counterparts::is_root;
use crate::steps::{Outcome, program, succeeds};
use std::process::Command;

/// Prepares the command that `script` (a line for `sh -e`, with `arguments` as `$1`, `$2`, …) runs as in a new namespace.
///
/// Root makes the namespace itself; anybody else by a user namespace in which he appears as root.
///
/// # Errors
/// When neither is allowed on this machine.
pub fn command(script: &str, arguments: &[&str]) -> Outcome<Command> {
    // The mounts are our own as well: a test of a full disk mounts a small one, and it is gone with the namespace.
    let flags: &[&str] = if is_root() { &["--net", "--mount"] } else { &["--map-root-user", "--net", "--mount"] };
    if !succeeds(program("unshare").args(flags).args(["sh", "-c", "ip link set lo up"])) {
        return Err(format!(
            "no network namespace could be made (`unshare {}`). Run this as root, or allow user namespaces: \
             `sudo sysctl -w kernel.unprivileged_userns_clone=1`",
            flags.join(" ")
        ));
    }
    let mut inside = program("unshare");
    inside.args(flags).args(["sh", "-e", "-c"]);
    inside.arg(format!("ip link set lo up\n{script}")).arg("sh").args(arguments);
    // A proxy on the outside cannot be reached, and one on loopback would be a hole in the wall.
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        inside.env_remove(name).env_remove(name.to_uppercase());
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_inside_reaches_loopback_and_nothing_else() {
        let script =
            r#"exec 3<>/dev/null; test "$(wc -l </proc/net/route)" -le 1; ip -o link show up | grep -q LOOPBACK"#;
        match command(script, &[]) {
            Ok(mut inside) => assert!(inside.status().is_ok_and(|status| status.success())),
            // A machine that forbids namespaces still runs `cargo test`; there `cargo xtask test` says so and fails.
            Err(why) => assert!(why.contains("unshare")),
        }
    }
}
