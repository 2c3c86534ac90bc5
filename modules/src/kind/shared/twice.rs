//! A resource in a test: checked on a rehearsal, then applied, then applied again.

use rectify_core::{
    arg::{Arg, from_arg},
    module::{ModuleError, Observe, Resource},
    plan::TaskId,
};
use serde_json::Value;

use crate::host::{fake::Fake, rehearsal::Rehearsal};

/// The module with these arguments.
pub(crate) fn module<R: Resource>(args: Value) -> R {
    let mut args = match args {
        Value::Object(map) => map,
        other => panic!("{other} is no mapping"),
    };
    for (alias, name) in R::ALIASES {
        if let Some(value) = args.remove(*alias) {
            args.insert((*name).to_owned(), value);
        }
    }
    let module: R = from_arg(&Arg::from_value(&Value::Object(args))).unwrap();
    module.validate().unwrap();
    module
}

/// Why these arguments are refused.
pub(crate) fn refused<R: Resource>(args: Value) -> String {
    match from_arg::<R>(&Arg::from_value(&args)) {
        Ok(module) => module.validate().unwrap_err(),
        Err(error) => error.to_string(),
    }
}

/// Converges on the fake, after a check of it, and says whether that changed something. What the check announced is what
/// happened, and a second time there is nothing to do.
pub(crate) fn converge<R: Resource>(args: Value, fake: &Fake) -> Result<bool, ModuleError> {
    let module: R = module(args);
    let shown = |state: &Option<R::State>| serde_json::to_value(state).unwrap();
    let rehearsal = Rehearsal::new(fake);
    let view = rehearsal.for_task(TaskId(0));
    let announced = once(&module, &view)?;
    let rehearsed = module.observe(&view)?;
    let changed = once(&module, fake)?;
    assert_eq!(announced, changed, "the check announced something else");
    let done = module.observe(fake)?;
    assert_eq!(shown(&rehearsed), shown(&done), "the check saw another result");
    assert!(!once(&module, fake)?, "it does not converge: {}", shown(&done));
    Ok(changed)
}

fn once<R: Resource>(module: &R, host: &dyn rectify_core::module::Operate) -> Result<bool, ModuleError> {
    let before = module.observe(host)?;
    let after = module.desired(before.as_ref());
    if before == after {
        return Ok(false);
    }
    module.apply(&rectify_core::module::Change { before, after }, host)?;
    Ok(true)
}

/// The text of a file.
pub(crate) fn text(fake: &Fake, path: &str) -> String {
    let bytes = fake.read(path.as_ref(), 1 << 20).unwrap().unwrap_or_else(|| panic!("{path} is there"));
    String::from_utf8(bytes.to_vec()).unwrap()
}
