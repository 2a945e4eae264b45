//! `floor FOLDER [MIB]`: what moving and hashing a GiB costs on this machine at least, each step alone.
//!
//! No framework and nothing in between: system calls of 256 KiB on page-aligned buffers, and the hash crates that Compeer
//! uses. Prints one JSON object; every value is in seconds a GiB (`…_cpu` of the thread that did the step, `…_wall`),
//! except `cores`. FOLDER decides where the page cache lies (the bench: tmpfs); a file of MIB MiB (1024) is written there
//! and removed.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "/dev/shm".to_owned());
    let mib = arguments.next().map_or(Ok(1024), |mib| mib.parse());
    let mib = mib.map_err(|_| std::io::Error::other("the second argument is a number of MiB"))?;
    println!("{}", linux::measure(folder.as_ref(), mib)?);
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("floor measures Linux only: it reads /proc and uses sendfile");
    std::process::exit(2);
}
