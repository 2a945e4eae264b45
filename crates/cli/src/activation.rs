//! What a service manager gives and wants to hear: the socket of the API, and that the node is ready (systemd:
//! sd_listen_fds(3), sd_notify(3)).

use std::net::TcpListener;

use anyhow::{Context as _, Result, ensure};
use listenfd::ListenFd;

/// Takes the socket that a service manager opened for the API, if it did.
pub fn api() -> Result<Option<TcpListener>> {
    let mut given = ListenFd::from_env();
    if given.len() == 0 {
        return Ok(None);
    }
    ensure!(
        given.len() == 1,
        "the service manager hands over {} sockets: the node takes one, for its API",
        given.len()
    );
    let listener = given.take_tcp_listener(0).context("what the service manager hands over is no TCP socket")?;
    Ok(listener)
}

/// Tells the service manager something, where there is one.
#[cfg(unix)]
pub fn tell(state: &str) {
    use std::os::unix::net::UnixDatagram;
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = UnixDatagram::unbound().and_then(|sender| match address(&socket) {
        Ok(address) => sender.send_to_addr(state.as_bytes(), &address),
        Err(error) => Err(error),
    });
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager cannot be told: {state}");
    }
}

/// Tells the service manager something, where there is one: not here.
#[cfg(not(unix))]
pub fn tell(_state: &str) {}

/// Reads the address of a socket: a path, or with `@` a name of its own.
#[cfg(unix)]
fn address(socket: &std::ffi::OsStr) -> std::io::Result<std::os::unix::net::SocketAddr> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::SocketAddr;
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(socket)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::ffi::OsStr;
    use std::os::linux::net::SocketAddrExt as _;

    use super::*;

    #[test]
    fn both_kinds_of_addresses_are_read() {
        let path = address(OsStr::new("/run/systemd/notify")).unwrap();
        assert_eq!(path.as_pathname(), Some(std::path::Path::new("/run/systemd/notify")));
        assert_eq!(address(OsStr::new("@a/b")).unwrap().as_abstract_name(), Some(&b"a/b"[..]));
        assert!(address(OsStr::new(&"x".repeat(200))).is_err());
    }
}
