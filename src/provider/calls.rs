//! The calls of Terraform's plugin protocol 6, from a request to its response.

use anyhow::{Context, Result};
use time::OffsetDateTime;

use super::protocol::*;
use super::resource::Resource;
use super::schema::Schema;
use super::value::{Object, Value};
use super::{ca, client, functions, machine, stored};
use crate::clock;
use crate::diag::{self, Report};
use crate::options;

/// All kinds of resources.
pub const RESOURCES: [&dyn Resource; 3] = [&machine::Machine, &ca::Ca, &client::Client];

/// The description of the provider itself, which has no configuration.
pub const DESCRIPTION: &str = "Makes remote Docker hosts without SSH: the TLS certificates, and the user-data with which a new VM installs Docker. It needs no other program and no network.";

fn provider_schema() -> Schema {
    Schema { description: DESCRIPTION, attributes: Vec::new() }
}

/// The provider can answer each call without being asked for its schema.
fn capabilities() -> Option<ServerCapabilities> {
    Some(ServerCapabilities { get_provider_schema_optional: true })
}

pub fn metadata(_: NoFields) -> MetadataResponse {
    let named = |name: &str| Named { name: name.to_owned() };
    MetadataResponse {
        server_capabilities: capabilities(),
        data_sources: vec![named(machine::TYPE_NAME)],
        resources: RESOURCES.iter().map(|resource| named(resource.type_name())).collect(),
        functions: functions::ALL.iter().map(|function| named(function.name)).collect(),
        ephemeral_resources: vec![named(client::TYPE_NAME)],
    }
}

pub fn schema(_: NoFields) -> ProviderSchemaResponse {
    let one = |name: &str, schema: Schema| [(name.to_owned(), schema.message())].into();
    ProviderSchemaResponse {
        provider: Some(provider_schema().message()),
        resource_schemas: RESOURCES
            .iter()
            .map(|resource| (resource.type_name().to_owned(), resource.schema().message()))
            .collect(),
        data_source_schemas: one(machine::TYPE_NAME, stored::schema()),
        server_capabilities: capabilities(),
        functions: functions::messages(),
        ephemeral_resource_schemas: one(client::TYPE_NAME, client::ephemeral_schema()),
    }
}

pub fn functions(_: NoFields) -> FunctionsResponse {
    FunctionsResponse { functions: functions::messages() }
}

pub fn validate_provider(_: NoFields) -> ValidateProviderResponse {
    ValidateProviderResponse::default()
}

/// The answer of calls after which nothing has to be done.
pub fn nothing(_: NoFields) -> DiagnosticsResponse {
    DiagnosticsResponse::default()
}

pub fn validate_resource(request: ConfigRequest) -> DiagnosticsResponse {
    validated(&request, |config| resource(&request.type_name)?.validate(config))
}

pub fn validate_data_source(request: ConfigRequest) -> DiagnosticsResponse {
    validated(&request, stored::validate)
}

pub fn validate_ephemeral(request: ConfigRequest) -> DiagnosticsResponse {
    validated(&request, client::validate)
}

fn validated(request: &ConfigRequest, check: impl Fn(&Object) -> Result<()>) -> DiagnosticsResponse {
    let checked = object(request.config.as_ref()).and_then(|config| check(&config.unwrap_or_default()));
    DiagnosticsResponse { diagnostics: checked.err().map(|error| diagnostics(&error)).unwrap_or_default() }
}

/// Fits a stored state to the attributes of today. There is one version of the schemas so far.
pub fn upgrade_state(request: UpgradeStateRequest) -> StateResponse {
    let state = || {
        let json = request.raw_state.context("there is no state")?.json;
        let state = Value::from_json(&json)?.into_object()?.unwrap_or_default();
        anyhow::Ok(resource(&request.type_name)?.schema().fitted(&state))
    };
    state_response(state())
}

/// Returns the state as it is: there is nothing else to compare it with.
pub fn read_resource(request: ReadResourceRequest) -> ReadResourceResponse {
    ReadResourceResponse {
        new_state: request.current_state,
        diagnostics: Vec::new(),
        private: request.private,
    }
}

pub fn read_data_source(request: ConfigRequest) -> StateResponse {
    let state = || {
        let config = object(request.config.as_ref())?.unwrap_or_default();
        stored::read(config).map(|state| stored::schema().fitted(&state))
    };
    state_response(state())
}

fn state_response(state: Result<Object>) -> StateResponse {
    match state {
        Ok(state) => StateResponse { state: Some(Value::from(state).write()), diagnostics: Vec::new() },
        Err(error) => StateResponse { state: None, diagnostics: diagnostics(&error) },
    }
}

pub fn plan(request: PlanRequest) -> PlanResponse {
    let planned = || {
        let resource = resource(&request.type_name)?;
        let prior = object(request.prior_state.as_ref())?;
        let Some(proposed) = object(request.proposed_new_state.as_ref())? else { return Ok(None) };
        resource.plan(prior.as_ref(), proposed, now()?).map(Some)
    };
    let private = request.prior_private.clone();
    match planned() {
        // The resource is to be destroyed: only Terraform's state has it.
        Ok(None) => PlanResponse {
            planned_state: Some(Value::Null.write()),
            planned_private: private,
            ..PlanResponse::default()
        },
        Ok(Some(planned)) => PlanResponse {
            planned_state: Some(Value::from(planned.state).write()),
            requires_replace: planned.replaces.into_iter().map(AttributePath::attribute).collect(),
            planned_private: private,
            diagnostics: planned.warnings.iter().map(diagnostic).collect(),
        },
        Err(error) => PlanResponse { diagnostics: diagnostics(&error), ..PlanResponse::default() },
    }
}

pub fn apply(request: ApplyRequest) -> ApplyResponse {
    let applied = || {
        let resource = resource(&request.type_name)?;
        let prior = object(request.prior_state.as_ref())?;
        let Some(planned) = object(request.planned_state.as_ref())? else { return Ok(None) };
        resource.apply(prior.as_ref(), planned, now()?).map(Some)
    };
    let private = request.planned_private.clone();
    match applied() {
        Ok(state) => {
            ApplyResponse { new_state: Some(Value::from(state).write()), private, diagnostics: Vec::new() }
        }
        // The state from before stays.
        Err(error) => ApplyResponse {
            new_state: request.prior_state.clone(),
            private,
            diagnostics: diagnostics(&error),
        },
    }
}

pub fn import(request: ImportRequest) -> ImportResponse {
    let state = resource(&request.type_name).and_then(|resource| resource.import(&request.id, now()?));
    match state {
        Ok(state) => {
            let state = Some(Value::from(state).write());
            let resource = ImportedResource { type_name: request.type_name, state };
            ImportResponse { imported_resources: vec![resource], diagnostics: Vec::new() }
        }
        Err(error) => ImportResponse { imported_resources: Vec::new(), diagnostics: diagnostics(&error) },
    }
}

pub fn open_ephemeral(request: ConfigRequest) -> OpenEphemeralResponse {
    let result = || client::issued(object(request.config.as_ref())?.unwrap_or_default(), now()?);
    match result() {
        Ok(result) => {
            let result = client::ephemeral_schema().fitted(&result);
            OpenEphemeralResponse { result: Some(Value::from(result).write()), diagnostics: Vec::new() }
        }
        Err(error) => OpenEphemeralResponse { result: None, diagnostics: diagnostics(&error) },
    }
}

pub fn call_function(request: CallFunctionRequest) -> CallFunctionResponse {
    let arguments = request.arguments.iter().map(|argument| Value::read(Some(argument)));
    let read = arguments.collect::<Result<Vec<_>>>().and_then(|arguments| Ok((arguments, now()?)));
    let result = match read {
        Ok((arguments, now)) => functions::call(&request.name, &arguments, now),
        Err(error) => Err(FunctionError { text: format!("{error:#}"), function_argument: None }),
    };
    match result {
        Ok(result) => CallFunctionResponse { result: Some(result.write()), error: None },
        Err(error) => CallFunctionResponse { result: None, error: Some(error) },
    }
}

/// The time, from a clock that has been set.
fn now() -> Result<OffsetDateTime> {
    let now = OffsetDateTime::now_utc();
    clock::refuse_wrong(now).map(|()| now)
}

fn resource(type_name: &str) -> Result<&'static dyn Resource> {
    let found = RESOURCES.into_iter().find(|resource| resource.type_name() == type_name);
    found.with_context(|| format!("the provider has no resource `{type_name}`"))
}

fn object(value: Option<&DynamicValue>) -> Result<Option<Object>> {
    Value::read(value)?.into_object()
}

/// The problems of an error, for Terraform.
fn diagnostics(error: &anyhow::Error) -> Vec<Diagnostic> {
    if let Some(report) = error.downcast_ref::<Report>() {
        return report.0.iter().map(diagnostic).collect();
    }
    match diag::Diagnostic::of(error) {
        Some(problem) => vec![diagnostic(&problem)],
        None => vec![Diagnostic {
            severity: Severity::Error.into(),
            summary: format!("{error:#}"),
            ..Diagnostic::default()
        }],
    }
}

/// A problem for Terraform: the message in one line, and below it what the user can do.
fn diagnostic(problem: &diag::Diagnostic) -> Diagnostic {
    let mut detail: Vec<String> = problem.hint.iter().cloned().collect();
    detail.extend(problem.commands.iter().map(|command| format!("  {command}")));
    detail.push(format!("`hostseed explain {}` says more.", problem.code.name()));
    let severity = match problem.severity {
        diag::Severity::Error => Severity::Error,
        diag::Severity::Warning => Severity::Warning,
    };
    Diagnostic {
        severity: severity.into(),
        summary: problem.message.clone(),
        detail: detail.join("\n"),
        attribute: problem.field.as_deref().map(|field| AttributePath::attribute(attribute(field))),
    }
}

/// The attribute of an option; any other field is an attribute itself.
fn attribute(field: &str) -> &str {
    options::all().find(|option| option.name == field).map_or(field, |option| option.attribute)
}
