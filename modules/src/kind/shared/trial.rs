//! A resource in a test, as the engine drives it.

use rectify_core::{
    arg::{Arg, from_arg},
    module::{ErasedResource, Operate, Resource},
};
use serde_json::Value;

/// A module from its arguments, which must be fine.
pub(crate) fn module<R: Resource>(args: &Value) -> R {
    let module: R = from_arg(&Arg::from_value(args)).unwrap();
    Resource::validate(&module).unwrap();
    module
}

/// What is said of arguments that are not fine.
pub(crate) fn refused<R: Resource>(args: &Value) -> String {
    match from_arg::<R>(&Arg::from_value(args)) {
        Ok(module) => Resource::validate(&module).expect_err("these arguments make no sense"),
        Err(error) => error.to_string(),
    }
}

/// Looks, applies, looks again; says what was announced, as `(before, after)`.
pub(crate) fn converge<R: Resource>(host: &dyn Operate, args: &Value) -> (Value, Value) {
    let module = module::<R>(args);
    let first = module.look(host).unwrap();
    if first.differs {
        ErasedResource::apply(&module, &first, host).unwrap();
        let second = module.look(host).unwrap();
        assert!(!second.differs, "it did not converge: {second:?}");
    }
    (first.before, first.after)
}

/// Says why it does not work.
pub(crate) fn fails<R: Resource>(host: &dyn Operate, args: &Value) -> String {
    let module = module::<R>(args);
    let error = match module.look(host) {
        Ok(seen) => ErasedResource::apply(&module, &seen, host).expect_err("it cannot work"),
        Err(error) => error,
    };
    error.to_string()
}
