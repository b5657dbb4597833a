// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `condition`: a CEL expression over the detections of a frame. What it may say is in
//! `docs/condition.md`.

mod check;
mod plan;
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, operators};
use cel::common::types::CelBool;
use cel::parser::{Expression, Macro};
use cel::{Context, Env, ExecutionError, Value};

use crate::meta::{Bounds, ClassLabel, Classifier, Detection, Label};

use super::FrameFacts;
use plan::Plan;
use values::Scope;

pub use values::MAX_OBJECTS;

/// Bytes of an expression.
pub const MAX_LENGTH: usize = 4096;

/// The parser and whoever walks its tree call themselves for every level of it.
const COMPILE_STACK: usize = 64 << 20;

/// An expression that is known to work on the variables that there are, and to come to an end soon.
pub struct Condition {
    text: String,
    env: Arc<Env>,
    expression: Expression,
    uses: check::Uses,
    /// A faster way, if there is one.
    plan: Option<Plan>,
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Condition({:?})", self.text)
    }
}

impl Condition {
    /// Reads an expression and tries it.
    ///
    /// # Errors
    ///
    /// Quotes the expression, says what is wrong with it, and lists the variables.
    pub fn compile(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!(
                "is {} bytes long, and {MAX_LENGTH} is the limit",
                text.len()
            ));
        }
        // On a thread of its own for the stack; what panics there ends as an error.
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .name("dsframecond".into())
                .stack_size(COMPILE_STACK)
                .spawn_scoped(scope, || compile(text))
                .map_err(|error| format!("cannot start a thread: {error}"))?
                .join()
                .unwrap_or_else(|_| Err("cannot be understood".into()))
        })
        .map_err(|reason| {
            let variables = values::VARIABLES.join(", ");
            format!("\"{text}\": {reason}; there are {variables} and count_of(\"label\")")
        })
    }

    /// Whether it holds for a frame; `passing` are the places of the detections it is about.
    ///
    /// # Errors
    ///
    /// Why it cannot be told for this frame: an item that is not there, a division by zero.
    pub fn holds(&self, facts: &FrameFacts<'_>, passing: &[usize]) -> Result<bool, String> {
        catch_unwind(AssertUnwindSafe(|| {
            self.evaluate(&self.expression, self.plan.as_ref(), facts, passing)
        }))
        .unwrap_or_else(|_| Err(Failure::Panic))
        .map_err(|failure| format!("\"{}\": {}", self.text, failure.reason()))
    }

    fn evaluate(
        &self,
        expression: &Expression,
        plan: Option<&Plan>,
        facts: &FrameFacts<'_>,
        passing: &[usize],
    ) -> Result<bool, Failure> {
        let objects = match self.uses.objects {
            true => values::objects(facts, passing),
            false => Vec::new(),
        };
        let counts = match self.uses.counts {
            true => values::counts(facts, passing),
            false => Vec::new(),
        };
        let scope = Scope::new(facts, passing, &objects, &counts);
        if let Some(value) = plan.and_then(|plan| plan.holds(&scope, None)) {
            return Ok(value);
        }
        let mut context = Context::with_env(self.env.clone());
        context.set_variable_resolver(&scope);
        let value = Value::resolve_val(expression, &context).map_err(Failure::Error)?;
        match value.downcast_ref::<CelBool>() {
            Some(value) => Ok(*value.inner()),
            None => Err(Failure::NotBool(value.get_type().name().to_owned())),
        }
    }

    /// Whether it works on samples. What may be missing in a frame, such as a label, is left to
    /// the frames.
    fn try_out(&self) -> Result<(), String> {
        // Both sides of && and || have to make sense, also the one that a sample does not reach.
        let thorough = check::without_shortcuts(&self.expression);
        let detections = samples();
        for (detections, passing) in [(&detections[..], &[0, 1][..]), (&[], &[])] {
            let facts = FrameFacts {
                stream: 0,
                frame: 0,
                time: 0,
                damaged: false,
                size: (1920, 1080),
                detections,
            };
            for expression in [&self.expression, &thorough] {
                match self.evaluate(expression, None, &facts, passing) {
                    Err(failure) if failure.is_of_the_expression() => return Err(failure.reason()),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn compile(text: &str) -> Result<Condition, String> {
    let mut env = Env::stdlib().with_optional_support(false);
    env.add_macro(count_of())
        .map_err(|error| error.to_string())?;
    let expression = env.parser().parse(text).map_err(|errors| {
        let reason = errors.to_string();
        reason.lines().next().unwrap_or("no expression").to_owned()
    })?;
    let uses = check::check(&expression)?;
    let condition = Condition {
        plan: Plan::of(&expression),
        text: text.to_owned(),
        env: Arc::new(env),
        expression,
        uses,
    };
    condition.try_out()?;
    Ok(condition)
}

/// `count_of(label)` looks into the variable that knows a number for every label. As a macro it
/// needs no function that would have to know of the frame.
fn count_of() -> Macro {
    Macro::global("count_of", 1, |helper, _, arguments| {
        let Some(label) = arguments.pop() else {
            return Ok(None);
        };
        let all = helper.next_expr(Expr::Ident(values::COUNT_OF.to_owned()));
        Ok(Some(helper.next_expr(Expr::Call(CallExpr {
            func_name: operators::INDEX.to_owned(),
            target: None,
            args: vec![all, label],
        }))))
    })
}

enum Failure {
    Error(ExecutionError),
    /// Of this type instead.
    NotBool(String),
    Panic,
}

impl Failure {
    /// Not of the frame that it was tried on.
    fn is_of_the_expression(&self) -> bool {
        match self {
            Self::NotBool(_) | Self::Panic => true,
            Self::Error(error) => !matches!(
                error,
                ExecutionError::NoSuchKey(_)
                    | ExecutionError::IndexOutOfBounds(_)
                    | ExecutionError::DivisionByZero(_)
                    | ExecutionError::RemainderByZero(_)
                    | ExecutionError::Overflow(..)
                    | ExecutionError::FunctionError { .. }
            ),
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Error(error) => error.to_string(),
            Self::NotBool(is) => format!("gives {is} instead of true or false"),
            Self::Panic => "cannot be evaluated".to_owned(),
        }
    }
}

fn samples() -> [Detection; 2] {
    let bounds = Bounds {
        left: 100.0,
        top: 100.0,
        width: 200.0,
        height: 400.0,
    };
    [
        Detection {
            label: Label::const_new("person"),
            class_id: Some(0),
            component_id: Some(1),
            confidence: Some(0.9),
            track_id: Some(1),
            bounds,
            parent: None,
            classifiers: vec![Classifier {
                component_id: Some(2),
                kind: Label::const_new("kind"),
                labels: vec![ClassLabel {
                    label: Label::const_new("adult"),
                    class_id: Some(0),
                    probability: Some(0.8),
                }],
            }],
        },
        Detection {
            label: Label::const_new("car"),
            bounds,
            parent: Some(0),
            ..Detection::default()
        },
    ]
}

#[cfg(test)]
mod tests;
