//! `signet-lab`: a lab for a person at a terminal, and the supervisor that tests start.

mod demo;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};
use signet_lab::{Chart, Config, Lab, Level, Site, Tools};

/// A real cluster, CA, DNS and cloud API in a box.
#[derive(Parser)]
#[command(name = "signet-lab", version)]
struct Arguments {
    /// The lab to act on.
    #[arg(long, global = true, default_value = "default", env = "SIGNET_LAB")]
    name: String,
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Builds the programs that a lab runs, and nothing more.
    Build {
        /// How much of a cluster they are for.
        #[arg(long, value_enum, default_value_t)]
        level: Level,
    },
    /// Says whether this machine can have a lab with a node, and if not, why.
    CheckNode,
    /// Starts a lab and leaves it up.
    Up {
        /// How much of a cluster it has.
        #[arg(long, value_enum, default_value_t)]
        level: Level,
        /// Leave the cluster without Signet; `signet-lab install` adds it.
        #[arg(long)]
        bare: bool,
    },
    /// Installs the chart and runs the controller, or does so again after a change.
    Install {
        /// A file of chart values, in JSON or YAML.
        #[arg(long)]
        values: Option<PathBuf>,
    },
    /// Runs kubectl or helm as the lab has it, without a lab.
    Tool {
        #[arg(value_parser = ["kubectl", "helm"])]
        program: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Shows the main job: a cluster, the guide's manifests, certificates that become Ready.
    Demo {
        /// Leave nothing running.
        #[arg(long, env = "DEMO_EXIT", value_parser = clap::builder::FalseyValueParser::new())]
        exit: bool,
    },
    /// Takes a lab down.
    Down,
    /// Shows what runs in a lab.
    Status,
    /// Prints the environment to use a lab in: `eval "$(signet-lab env)"`.
    Env,
    /// Runs a command in a lab's environment.
    Exec {
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Starts a lab for one command, and takes it down when the command ends.
    Run {
        /// How much of a cluster it has.
        #[arg(long, value_enum, default_value_t)]
        level: Level,
        /// Leave the cluster without Signet.
        #[arg(long)]
        bare: bool,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Prints the log of a component, or names the logs there are.
    Logs { component: Option<String> },
    /// Owns a lab; for the library's use.
    #[command(hide = true)]
    Supervise {
        name: String,
        config: String,
        #[arg(long)]
        leashed: bool,
        /// This process is in a process namespace of the lab's own already.
        #[arg(long)]
        inside: bool,
    },
    /// Is the first process of a node's lab; for this program's own use.
    #[command(hide = true)]
    Init {
        lab: String,
        #[arg(last = true, required = true)]
        args: Vec<String>,
    },
    /// Becomes a program that dies with its parent; for the supervisor's use.
    #[command(hide = true)]
    Leash {
        parent: i32,
        program: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    match start(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("signet-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(Arguments { name, command }: Arguments) -> Result<ExitCode> {
    match &command {
        Subcommands::Leash { parent, program, args } => {
            return signet_lab::leash(*parent, program, args).map(|()| ExitCode::SUCCESS);
        }
        Subcommands::Init { lab, args } => return signet_lab::init(lab, args),
        Subcommands::Supervise { name, config, inside, .. } => {
            let has_node = serde_json::from_str::<Config>(config)?.level == Level::Node;
            if has_node && !inside {
                let args = std::env::args().skip(1).chain(["--inside".to_owned()]);
                signet_lab::enter(name, &args.collect::<Vec<_>>())?;
            }
        }
        _ => {}
    }
    // One thread: a supervisor's children are tied to the thread that starts them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let finish = runtime.block_on(run(&name, command));
    // Whatever still reads standard input must not keep the process.
    runtime.shutdown_background();
    finish.map(|()| ExitCode::SUCCESS)
}

async fn run(name: &str, command: Subcommands) -> Result<()> {
    match command {
        Subcommands::Build { level } => Tools::ready_for(level).map(drop),
        Subcommands::CheckNode => match signet_lab::obstacle() {
            Some(obstacle) => bail!(obstacle),
            None => Ok(()),
        },
        Subcommands::Up { level, bare } => up(name, level, bare).await,
        Subcommands::Install { values } => install(name, values).await,
        Subcommands::Demo { exit } => demo::run(name, exit).await,
        Subcommands::Tool { program, args } => tool(&program, &args),
        Subcommands::Down => down(name).await,
        Subcommands::Status => status(name).await,
        Subcommands::Env => env(name).await,
        Subcommands::Exec { command } => exec(name, &command).await,
        Subcommands::Run { level, bare, command } => run_once(level, bare, &command).await,
        Subcommands::Logs { component } => logs(name, component.as_deref()),
        Subcommands::Supervise { name, config, leashed, .. } => {
            signet_lab::supervise(&name, serde_json::from_str(&config)?, leashed).await
        }
        Subcommands::Leash { .. } | Subcommands::Init { .. } => Ok(()),
    }
}

async fn up(name: &str, level: Level, bare: bool) -> Result<()> {
    let tools = tokio::task::spawn_blocking(move || Tools::ready_for(level)).await??;
    let began = Instant::now();
    let config = if bare { Config::bare() } else { Config::default() };
    let lab = Lab::start_detached(name.to_owned(), Config { level, ..config }).await?;
    let kubeconfig = lab.site().kubeconfig();
    println!("lab {name:?} is up on {} after {:.1} s", lab.site().address, began.elapsed().as_secs_f32());
    println!("  KUBECONFIG={}", kubeconfig.display());
    println!("  kubectl:   {}", tools.program("kubectl").display());
    println!("  use it:    eval \"$(signet-lab env --name {name})\"");
    println!("  end it:    signet-lab down --name {name}");
    Ok(())
}

async fn install(name: &str, values: Option<PathBuf>) -> Result<()> {
    let mut chart = Chart::default();
    if let Some(path) = values {
        let text = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        chart.values = serde_yaml::from_str(&text)?;
    }
    Lab::attach(name).await?.install(&chart).await?;
    println!("Signet runs in lab {name:?}, from namespace {:?}", chart.namespace);
    Ok(())
}

async fn down(name: &str) -> Result<()> {
    Lab::attach(name).await?.down().await?;
    println!("lab {name:?} is down");
    Ok(())
}

async fn status(name: &str) -> Result<()> {
    let lab = Lab::attach(name).await?;
    println!("lab {name:?} on {} in {}", lab.site().address, lab.site().dir.display());
    for status in lab.status().await? {
        let ended = || status.ended.clone().unwrap_or_else(|| "never started".to_owned());
        println!("  {:20} {}", status.name, status.pid.map_or_else(ended, |pid| format!("pid {pid}")));
    }
    Ok(())
}

async fn env(name: &str) -> Result<()> {
    for (name, value) in Lab::attach(name).await?.environment() {
        println!("export {name}='{}'", value.replace('\'', r"'\''"));
    }
    Ok(())
}

async fn exec(name: &str, command: &[String]) -> Result<()> {
    let environment = Lab::attach(name).await?.environment();
    let (program, args) = command.split_first().context("a command to run")?;
    let error = std::process::Command::new(program).args(args).envs(environment).exec();
    Err(error).with_context(|| format!("could not run {program}"))
}

fn tool(program: &str, args: &[String]) -> Result<()> {
    let error = std::process::Command::new(Tools::ready()?.program(program)).args(args).exec();
    Err(error).with_context(|| format!("could not run {program}"))
}

async fn run_once(level: Level, bare: bool, command: &[String]) -> Result<()> {
    let config = if bare { Config::bare() } else { Config::default() };
    let lab = Lab::start(Config { level, ..config }).await?;
    let (program, args) = command.split_first().context("a command to run")?;
    let mut command = tokio::process::Command::new(program);
    let status = command.args(args).envs(lab.environment()).status().await;
    let status = status.with_context(|| format!("could not run {program}"))?;
    ensure!(status.success(), "{program} failed ({status})");
    Ok(())
}

fn logs(name: &str, component: Option<&str>) -> Result<()> {
    let site = Site::load(name)?;
    let Some(component) = component else {
        for entry in std::fs::read_dir(site.path("logs"))?.flatten() {
            println!("{}", entry.path().display());
        }
        return Ok(());
    };
    let text = std::fs::read(site.log(component))
        .with_context(|| format!("the lab has no log of {component:?}: `signet-lab logs` names those there are"))?;
    std::io::Write::write_all(&mut std::io::stdout(), &text)?;
    Ok(())
}
