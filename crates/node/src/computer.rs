//! What this computer and its user are called, as far as the system knows: what is proposed where somebody has to say it.

use people::proto::Name;

/// What this computer is called.
pub fn computer_name() -> Name {
    let file = std::fs::read_to_string("/etc/hostname").ok();
    let names = [std::env::var("COMPUTERNAME").ok(), std::env::var("HOSTNAME").ok(), file];
    first(names.into_iter().flatten(), "computer")
}

/// What the user is called.
pub fn user_name() -> Name {
    let names = ["USER", "USERNAME", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    first(names, "somebody")
}

fn first(names: impl IntoIterator<Item = String>, otherwise: &str) -> Name {
    let mut names = names.into_iter();
    names.find_map(|name| Name::from_any(&name)).unwrap_or_else(|| Name::new(otherwise).expect("a word is a name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_can_be_a_name_is_taken() {
        let names = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(first(names(&["", "attic\n", "cellar"]), "computer").as_str(), "attic");
        assert_eq!(first(names(&[]), "computer").as_str(), "computer");
    }
}
