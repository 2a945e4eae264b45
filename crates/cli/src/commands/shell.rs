//! `compeer completions` and `compeer man`.

use anyhow::{Context as _, Result};
use clap::CommandFactory;

use crate::args::{Cli, Completions, Man, Shell};
use crate::out;

/// Prints the completions for a shell.
pub fn completions(command: &Completions) -> Result<u8> {
    let shell = match command.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Elvish => clap_complete::Shell::Elvish,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
        Shell::Zsh => clap_complete::Shell::Zsh,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "compeer", &mut text);
    out::bytes(&text)?;
    Ok(0)
}

/// Prints the manual page: the program, then every command. With a folder: writes a page for each into it.
pub fn man(chosen: &Man) -> Result<u8> {
    let mut command = Cli::command();
    if let Some(folder) = &chosen.folder {
        let named = || format!("{}: the pages cannot be written", folder.display());
        std::fs::create_dir_all(folder).with_context(named)?;
        clap_mangen::generate_to(command, folder).with_context(named)?;
        return Ok(0);
    }
    command.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        render_sub(&clap_mangen::Man::new(sub.clone()), &mut text)?;
        for subsub in sub.get_subcommands() {
            render_sub(&clap_mangen::Man::new(subsub.clone()), &mut text)?;
        }
    }
    out::bytes(&text)?;
    Ok(0)
}

fn render_sub(man: &clap_mangen::Man, text: &mut Vec<u8>) -> Result<()> {
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)?;
    Ok(())
}
