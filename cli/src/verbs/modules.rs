//! `rectify modules`: the modules and their reference, from their own types.

use std::{fmt::Write as _, io::Write as _, path::Path};

use rectify_core::module::Module;
use rectify_modules::REGISTRY;
use serde_json::Value;

use crate::{
    args::Modules as Args,
    exit::{self, Expected},
};

/// Lists the modules, shows one, or writes or checks the reference pages.
pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    if let Some(folder) = &args.reference {
        return if args.check { check(folder) } else { write(folder) };
    }
    if let Some(word) = &args.module {
        let Some(module) = REGISTRY.find(word) else {
            let known: Vec<&str> = REGISTRY.iter().map(Module::kind).collect();
            let near = rectify_core::diag::did_you_mean(word, known.iter().copied());
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            return Err(Expected::usage(format!("there is no module {word:?}{near}")).into());
        };
        out.write_all(page(module).as_bytes())?;
        return Ok(exit::OK);
    }
    let width = REGISTRY.iter().map(|m| m.kind().len()).max().unwrap_or_default();
    for module in REGISTRY.iter() {
        writeln!(out, "{:<width$}  {}", module.kind(), first_line(&describe(module)))?;
    }
    Ok(exit::OK)
}

fn pages() -> Vec<(String, String)> {
    let mut index = String::from("# Modules\n\nMade from the modules' own types by `rectify modules --reference`.\n\n");
    let mut pages = Vec::new();
    for module in REGISTRY.iter() {
        let kind = module.kind();
        let _ = writeln!(index, "- [{kind}]({kind}.md): {}", first_line(&describe(module)));
        pages.push((format!("{kind}.md"), page(module)));
    }
    pages.push(("README.md".into(), index));
    pages
}

fn write(folder: &Path) -> anyhow::Result<u8> {
    std::fs::create_dir_all(folder)?;
    for (name, text) in pages() {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(exit::OK)
}

fn check(folder: &Path) -> anyhow::Result<u8> {
    let pages = pages();
    let mut stale: Vec<String> = pages
        .iter()
        .filter(|(name, text)| std::fs::read_to_string(folder.join(name)).is_ok_and(|t| t == *text).eq(&false))
        .map(|(name, _)| name.clone())
        .collect();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !pages.iter().any(|(page, _)| *page == name) {
            stale.push(format!("{name} (of no module)"));
        }
    }
    if stale.is_empty() {
        return Ok(exit::OK);
    }
    Err(Expected::failed(format!(
        "reference pages that are not up to date: {}; run `rectify modules --reference {}`",
        stale.join(", "),
        folder.display()
    ))
    .into())
}

fn page(module: &dyn Module) -> String {
    let schema = module.schema().to_value();
    let mut out = format!("# {}\n\n{}\n\n", module.kind(), describe(module));
    if !module.other_names().is_empty() {
        let _ = writeln!(out, "Other names: `{}`.\n", module.other_names().join("`, `"));
    }
    let _ = writeln!(out, "```yaml\n- {}\n```\n", module.example().trim_end().replace('\n', "\n  "));
    let properties = schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if let Some(properties) = properties.filter(|p| !p.is_empty()) {
        out.push_str("## Arguments\n\n| argument | type | meaning |\n| --- | --- | --- |\n");
        // What begins with `_` comes from the engine.
        for (name, property) in properties.iter().filter(|(name, _)| !name.starts_with('_')) {
            let aliases: Vec<String> =
                module.aliases().iter().filter(|(_, to)| to == name).map(|(from, _)| format!("`{from}`")).collect();
            let aliases = if aliases.is_empty() { String::new() } else { format!(" (also {})", aliases.join(", ")) };
            let must = if required.contains(&name.as_str()) { ", required" } else { "" };
            let free =
                if module.free_form() == Some(name) { " May be written right behind the module's name." } else { "" };
            let meaning = property.get("description").and_then(Value::as_str).unwrap_or_default();
            let _ = writeln!(
                out,
                "| `{name}`{aliases} | {}{must} | {}{free} |",
                kind_of(property, &schema),
                meaning.replace('\n', " ").replace('|', "\\|")
            );
        }
    }
    out
}

/// A property's type in words.
fn kind_of(property: &Value, root: &Value) -> String {
    if let Some(target) = property.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/")) {
        return root.get("$defs").and_then(|d| d.get(target)).map_or_else(|| target.to_owned(), |t| kind_of(t, root));
    }
    if let Some(words) = property.get("enum").and_then(Value::as_array) {
        return words
            .iter()
            .filter(|w| !w.is_null())
            .map(|w| format!("`{}`", w.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(all) = property.get("oneOf").or_else(|| property.get("anyOf")).and_then(Value::as_array) {
        let mut kinds: Vec<String> = all
            .iter()
            .filter(|k| k.get("type").and_then(Value::as_str) != Some("null"))
            .map(|k| kind_of(k, root))
            .collect();
        kinds.dedup();
        return kinds.join(", ");
    }
    if let Some(constant) = property.get("const").and_then(Value::as_str) {
        return format!("`{constant}`");
    }
    match property.get("type") {
        Some(Value::String(one)) if one == "array" => {
            format!("list of {}", property.get("items").map_or_else(|| "any".into(), |i| kind_of(i, root)))
        }
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(several)) => {
            let words: Vec<&str> = several.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect();
            match words.as_slice() {
                ["array"] => {
                    format!("list of {}", property.get("items").map_or_else(|| "any".into(), |i| kind_of(i, root)))
                }
                other => other.join(" or "),
            }
        }
        _ => "any".into(),
    }
}

fn describe(module: &dyn Module) -> String {
    let schema = module.schema().to_value();
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
