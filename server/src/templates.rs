//! The templates of messages and pages: built in, each replaced by a file of the same name in the site's folder.

use std::path::Path;

use minijinja::{AutoEscape, Environment, Value, syntax::SyntaxConfig};
use rectify_core::rollout::{StepName, meaning};

use crate::channels::ChannelError;

const BUILT_IN: [(&str, &str); 9] = [
    ("letter.txt", include_str!("../templates/letter.txt")),
    ("letter.html", include_str!("../templates/letter.html")),
    ("notice.txt", include_str!("../templates/notice.txt")),
    ("notice.html", include_str!("../templates/notice.html")),
    ("setting.html", include_str!("../templates/setting.html")),
    ("motd.txt", include_str!("../templates/motd.txt")),
    ("setting.md", include_str!("../templates/setting.md")),
    ("index.html", include_str!("../templates/index.html")),
    ("style.css", include_str!("../templates/style.css")),
];

/// The templates of messages and pages.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The built-in templates; those of the same name in `folder` take their place.
    ///
    /// # Errors
    /// A template that cannot be read or parsed.
    pub fn load(folder: Option<&Path>) -> Result<Self, ChannelError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build().map_err(|source| broken("syntax", source))?);
        environment.set_auto_escape_callback(
            |name| {
                if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
            },
        );
        environment.add_filter("meaning", |step: &str| -> Result<String, minijinja::Error> {
            let name: StepName = step
                .parse()
                .map_err(|e| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, format!("{e}")))?;
            Ok(meaning(name))
        });
        environment.add_filter("wrap", crate::announce::motd::wrap_filter);
        environment.add_filter("lines", |text: &str| text.lines().map(Value::from).collect::<Vec<_>>());
        for (name, text) in BUILT_IN {
            let own = folder.map(|f| f.join(name)).filter(|path| path.exists());
            let text = match &own {
                None => text.to_owned(),
                Some(path) => std::fs::read_to_string(path).map_err(|source| ChannelError::File {
                    doing: "reading",
                    path: path.clone(),
                    source,
                })?,
            };
            environment.add_template_owned(name, text).map_err(|source| broken(name, source))?;
        }
        Ok(Templates { environment })
    }

    /// Renders one of them.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub(crate) fn render(&self, name: &str, context: &Value) -> Result<String, ChannelError> {
        let template = self.environment.get_template(name).map_err(|source| broken(name, source))?;
        template.render(context).map_err(|source| broken(name, source))
    }
}

fn broken(name: &str, source: minijinja::Error) -> ChannelError {
    ChannelError::Template { name: name.to_owned(), source }
}
