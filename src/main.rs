//! The program `hostseed`: parses the arguments, reads the clock once, runs the command and sets the exit status.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use time::OffsetDateTime;

use hostseed::cli::{self, Cli, Command, SwarmRequest, Terraform};
use hostseed::diag::{Code, Report};
use hostseed::shell;
use hostseed::spec::Spec;
use hostseed::store::{self, Store, Trust};
use hostseed::ui::Ui;
use hostseed::verify;
use hostseed::{clipboard, clock, commands, secret};

fn main() -> ExitCode {
    shell::set_program(std::env::args_os().next().as_deref());
    if clipboard::is_keeper() {
        let kept = secret::forbid_core_dumps().and_then(|()| clipboard::keep());
        return if kept.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(Ui::usage(error) as u8),
    };
    let ui = Ui { quiet: cli.quiet };
    match run(cli, ui) {
        Ok(status) => status,
        // The reader closed the pipe because it needs no more output.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            if error.is::<Report>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(cli: Cli, ui: Ui) -> Result<ExitCode> {
    secret::forbid_core_dumps()?;
    let now = OffsetDateTime::now_utc();
    let trust = if cli.allow_insecure_store { Trust::Anything } else { Trust::Checked };
    let opened = OnceCell::new();
    let store = || open_store(cli.store, trust).map(|store| opened.get_or_init(|| store));
    if matches!(
        cli.command,
        Command::Create(_)
            | Command::Apply(_)
            | Command::Client(_)
            | Command::External
            | Command::Renew(_)
            | Command::Update(_)
            | Command::Verify { .. }
    ) {
        clock::refuse_wrong(now)?;
    }
    let mut status = ExitCode::SUCCESS;
    let done = match cli.command {
        Command::Create(create) => {
            let (cloud, if_missing, dry_run, json) =
                (create.cloud, create.if_missing, create.dry_run, create.json);
            let spec = commands::read_spec(create.file.clone(), || create.spec())?;
            let request = commands::CreateRequest { spec, cloud, if_missing, dry_run, json };
            commands::create(store()?, ui, now, &request)
        }
        Command::Apply(apply) => {
            commands::apply(store()?, ui, now, &apply.request()).map(|done| status = done)
        }
        Command::Swarm(swarm) => match swarm.request() {
            SwarmRequest::Up(request) => commands::swarm_up(store()?, ui, now, &request),
            SwarmRequest::Status(request) => commands::swarm_status(store()?, ui, now, &request),
        }
        .map(|done| status = done),
        Command::Render(render) => commands::render(store()?, ui, now, render.request()),
        Command::Bake(bake) => {
            let (file, out, format, replace) =
                (bake.file.clone(), bake.out.clone(), bake.format(), bake.replace());
            commands::bake(
                ui,
                now,
                commands::read_spec(file, || Spec::of_image(bake.host))?,
                format,
                out.as_deref(),
                replace,
            )
        }
        Command::Clouds { cloud, port, json } => commands::clouds(ui, cloud, port, json),
        Command::Env { unset: true, shell, no_proxy, .. } => {
            commands::env_unset(ui, shell.as_deref(), no_proxy)
        }
        Command::Env { name, shell, no_proxy, address, .. } => {
            commands::env(store()?, ui, now, &name, shell.as_deref(), no_proxy, address.as_deref())
        }
        Command::Check { names, wait, json } => {
            let watch = commands::Watch { names: &names, wait, json, until_up: false };
            commands::check(store()?, ui, now, &watch).map(|done| status = done)
        }
        Command::Wait { names, timeout, json } => {
            let watch = commands::Watch { names: &names, wait: Some(timeout), json, until_up: true };
            commands::check(store()?, ui, now, &watch).map(|done| status = done)
        }
        Command::External => commands::external(store()?, ui, now),
        Command::Context(context) => commands::context(store()?, ui, now, &context.request()),
        Command::Config { name } => commands::config(store()?, ui, now, &name),
        Command::Ls { names, expiring, json } => {
            let names_only = names || ui.quiet && !json;
            let selection = commands::Selection { names_only, json, expiring };
            commands::ls(store()?, ui, now, &selection).map(|done| status = done)
        }
        Command::Inspect { name, json } => commands::inspect(store()?, ui, now, &name, json),
        Command::Client(client) if client.remove => {
            let (machine, cn) = client.names();
            commands::remove_client(store()?, ui, now, machine, cn)
        }
        Command::Client(client) => commands::client(store()?, ui, now, &client.request()),
        Command::Clients { name, json } => commands::clients(store()?, ui, now, &name, json),
        Command::Url { names } => commands::url(store()?, ui, &names),
        Command::Ip { names } => commands::ip(store()?, ui, &names),
        Command::Version => ui.out(cli::version()),
        Command::Address { name, address, force } => commands::address(store()?, ui, &name, &address, force),
        Command::Export(export) if export.is_of_fleet() => {
            commands::export_fleet(store()?, ui, now, &export.fleet())
        }
        Command::Init(init) => {
            let (example, out, replace) = init.request();
            commands::init(store()?, ui, now, example, out, replace)
        }
        Command::Export(export) => commands::export(store()?, ui, now, &export.request()),
        Command::Import(import) if import.is_of_file() => commands::import(store()?, ui, now, &import.file()),
        Command::Import(import) => {
            let (dir, names) = import.source();
            let dir = dir.map_or_else(store::default_root, Ok)?;
            commands::check_store(&dir)?;
            let store = store()?;
            let source = Store::open(dir, true, trust)?;
            let source = if store.is_same(&source) { store } else { &source };
            let request = commands::ImportRequest { source, names: &names, dry_run: import.dry_run };
            commands::import_docker_machine(store, ui, now, &request).map(|done| status = done)
        }
        Command::Rename { old, new } => commands::rename(store()?, ui, &old, &new),
        Command::Explain { code, json } => commands::explain(ui, code, json),
        Command::Completions { shell } => commands::completions(ui, shell, cli::described()),
        Command::Man { dir } => commands::man(ui, now, dir.as_deref(), cli::described()),
        Command::Terraform(Terraform::Install { dir }) => {
            commands::terraform_install(ui, now, dir.as_deref())
        }
        Command::Schema { subject } if subject == "machine" => commands::machine_schema(ui),
        Command::Schema { subject } if subject == "check" => commands::check_schema(ui),
        Command::Schema { subject } if subject == "clients" => commands::clients_schema(ui),
        Command::Schema { subject } => {
            let command = cli::described();
            let create = command.find_subcommand("create").expect("there is such a command");
            if subject == "fleet" { commands::fleet_schema(ui, create) } else { commands::schema(ui, create) }
        }
        Command::Update(update) => {
            let (is_whole, unset, dry_run) = (update.file.is_some(), update.unset.clone(), update.dry_run);
            let spec = commands::read_spec(update.file.clone(), || update.spec())?;
            let request = commands::UpdateRequest { spec, is_whole, unset, dry_run };
            commands::update(store()?, ui, now, &request)
        }
        Command::Renew(renew) => {
            commands::renew(store()?, ui, now, &renew.request()).map(|done| status = done)
        }
        Command::Rm { names, yes } => commands::rm(store()?, ui, &names, yes).map(|done| status = done),
        Command::Verify { file, cloud, allow_unknown_engine_opts, strict, schema, json } => {
            let scope = verify::Scope { cloud, allow_unknown_engine_opts };
            let question = commands::Question { file: &file, scope, strict, schema, json };
            commands::verify(ui, now, &question).map(|done| status = done)
        }
    };
    opened.get().map(Store::take_notes).into_iter().flatten().for_each(|note| ui.note(note));
    done.map(|()| status)
}

/// Opens the store that was given, or Docker Machine's default store.
fn open_store(given: Option<PathBuf>, trust: Trust) -> Result<Store> {
    let named = given.is_some() && given != store::path_in_environment();
    let asked = given.is_some();
    let root = given.map_or_else(store::default_root, Ok)?;
    let wrong_path: &[Code] = if asked { &[Code::UnreadableFile] } else { &[] };
    Store::open(root, named, trust).map_err(|failure| commands::as_usage(failure, wrong_path))
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
