// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The expressions that most conditions are, evaluated without the interpreter: comparisons of
//! aggregates and of objects' fields with each other and with constants, `&&`, `||`, `!`, and
//! `objects.exists` and `objects.all`. The interpreter makes texts for an error at every
//! comparison, in case there is one; here nothing can fail, as types are compared at start.

use std::cmp::Ordering;

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;

use super::values::{Object, Scope, Simple};

#[derive(Debug)]
pub enum Plan {
    Constant(bool),
    Not(Box<Plan>),
    And(Box<Plan>, Box<Plan>),
    Or(Box<Plan>, Box<Plan>),
    Compare(Test, Term, Term),
    /// Some object of the frame, or each.
    Exists(Box<Plan>),
    All(Box<Plan>),
}

#[derive(Debug, Clone, Copy)]
pub enum Test {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
pub enum Term {
    Int(i64),
    Double(f64),
    Text(String),
    /// Of the frame.
    Variable(String, Kind),
    /// Of the object that the loop is at.
    Field(String, Kind),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Int,
    Double,
    Text,
}

impl Plan {
    /// `None`: the interpreter has to do it.
    pub fn of(expression: &Expression) -> Option<Self> {
        plan(expression, None)
    }

    /// `None`: the interpreter has to tell what is wrong, such as a number that is none.
    pub fn holds(&self, scope: &Scope<'_>, object: Option<&Object<'_>>) -> Option<bool> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Not(plan) => Some(!plan.holds(scope, object)?),
            Self::And(left, right) => {
                Some(left.holds(scope, object)? && right.holds(scope, object)?)
            }
            Self::Or(left, right) => {
                Some(left.holds(scope, object)? || right.holds(scope, object)?)
            }
            Self::Compare(test, left, right) => {
                let order = match (left.value(scope, object)?, right.value(scope, object)?) {
                    (Simple::Int(left), Simple::Int(right)) => left.cmp(&right),
                    (Simple::Double(left), Simple::Double(right)) => left.partial_cmp(&right)?,
                    (Simple::Text(left), Simple::Text(right)) => left.cmp(right),
                    _ => return None,
                };
                Some(match test {
                    Test::Equal => order == Ordering::Equal,
                    Test::NotEqual => order != Ordering::Equal,
                    Test::Less => order == Ordering::Less,
                    Test::LessOrEqual => order != Ordering::Greater,
                    Test::Greater => order == Ordering::Greater,
                    Test::GreaterOrEqual => order != Ordering::Less,
                })
            }
            Self::Exists(plan) => {
                for object in scope.objects() {
                    if plan.holds(scope, Some(object))? {
                        return Some(true);
                    }
                }
                Some(false)
            }
            Self::All(plan) => {
                for object in scope.objects() {
                    if !plan.holds(scope, Some(object))? {
                        return Some(false);
                    }
                }
                Some(true)
            }
        }
    }
}

impl Term {
    fn kind(&self) -> Kind {
        match self {
            Self::Int(_) => Kind::Int,
            Self::Double(_) => Kind::Double,
            Self::Text(_) => Kind::Text,
            Self::Variable(_, kind) | Self::Field(_, kind) => *kind,
        }
    }

    fn value<'a>(&'a self, scope: &Scope<'_>, object: Option<&Object<'a>>) -> Option<Simple<'a>> {
        match self {
            Self::Int(value) => Some(Simple::Int(*value)),
            Self::Double(value) => Some(Simple::Double(*value)),
            Self::Text(value) => Some(Simple::Text(value)),
            Self::Variable(name, _) => scope.number(name),
            Self::Field(name, _) => object?.simple(name),
        }
    }
}

/// `item` is the variable of the loop.
fn plan(expression: &Expression, item: Option<&str>) -> Option<Plan> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => Some(Plan::Constant(*value.inner())),
        Expr::Call(call) => plan_call(call, item),
        // Loops within loops are left to the interpreter.
        Expr::Comprehension(comprehension) if item.is_none() => plan_loop(comprehension),
        _ => None,
    }
}

fn plan_call(call: &CallExpr, item: Option<&str>) -> Option<Plan> {
    if call.target.is_some() {
        return None;
    }
    let both = |left, right| Some((Box::new(plan(left, item)?), Box::new(plan(right, item)?)));
    let test = match (call.func_name.as_str(), &call.args[..]) {
        (operators::LOGICAL_NOT, [value]) => {
            return Some(Plan::Not(Box::new(plan(value, item)?)));
        }
        (operators::LOGICAL_AND, [left, right]) => {
            let (left, right) = both(left, right)?;
            return Some(Plan::And(left, right));
        }
        (operators::LOGICAL_OR, [left, right]) => {
            let (left, right) = both(left, right)?;
            return Some(Plan::Or(left, right));
        }
        (operators::EQUALS, _) => Test::Equal,
        (operators::NOT_EQUALS, _) => Test::NotEqual,
        (operators::LESS, _) => Test::Less,
        (operators::LESS_EQUALS, _) => Test::LessOrEqual,
        (operators::GREATER, _) => Test::Greater,
        (operators::GREATER_EQUALS, _) => Test::GreaterOrEqual,
        _ => return None,
    };
    let [left, right] = &call.args[..] else {
        return None;
    };
    let (left, right) = (term(left, item)?, term(right, item)?);
    // What it means to compare others, the interpreter knows.
    (left.kind() == right.kind()).then_some(Plan::Compare(test, left, right))
}

/// `objects.exists(item, …)` or `objects.all(item, …)`, as their macros write them.
fn plan_loop(comprehension: &ComprehensionExpr) -> Option<Plan> {
    let is = |expression: &Expression, name: &str| matches!(&expression.expr, Expr::Ident(ident) if ident == name);
    let accumulated = comprehension.accu_var.as_str();
    let Expr::Literal(LiteralValue::Boolean(start)) = &comprehension.accu_init.expr else {
        return None;
    };
    let Expr::Call(step) = &comprehension.loop_step.expr else {
        return None;
    };
    let [so_far, test] = &step.args[..] else {
        return None;
    };
    if !is(&comprehension.iter_range, "objects")
        || !is(&comprehension.result, accumulated)
        || !is(so_far, accumulated)
        || comprehension.iter_var2.is_some()
        || step.target.is_some()
    {
        return None;
    }
    let test = Box::new(plan(test, Some(&comprehension.iter_var))?);
    match (step.func_name.as_str(), *start.inner()) {
        (operators::LOGICAL_OR, false) => Some(Plan::Exists(test)),
        (operators::LOGICAL_AND, true) => Some(Plan::All(test)),
        _ => None,
    }
}

fn term(expression: &Expression, item: Option<&str>) -> Option<Term> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Int(value)) => Some(Term::Int(*value.inner())),
        Expr::Literal(LiteralValue::Double(value)) => Some(Term::Double(*value.inner())),
        Expr::Literal(LiteralValue::String(text)) => Some(Term::Text(text.inner().to_owned())),
        Expr::Ident(name) if item != Some(name.as_str()) => {
            let kind = match name.as_str() {
                "count" | "tracked" | "stream" | "frame" | "width" | "height" => Kind::Int,
                "max_confidence" | "min_confidence" | "mean_confidence" | "max_area"
                | "total_area" | "time" => Kind::Double,
                _ => return None,
            };
            Some(Term::Variable(name.clone(), kind))
        }
        Expr::Select(select) if !select.test => {
            let Expr::Ident(name) = &select.operand.expr else {
                return None;
            };
            if item != Some(name.as_str()) {
                return None;
            }
            let kind = match select.field.as_str() {
                "label" => Kind::Text,
                "class_id" | "component_id" | "track_id" | "place" | "parent" => Kind::Int,
                "confidence" | "left" | "top" | "width" | "height" | "area" => Kind::Double,
                _ => return None,
            };
            Some(Term::Field(select.field.clone(), kind))
        }
        _ => None,
    }
}
