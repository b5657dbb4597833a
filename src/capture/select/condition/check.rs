// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What can be told of an expression before it is evaluated: that it names what there is, and that
//! it comes to an end soon whatever is detected.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, operators,
};
use cel::common::types::CelInt;
use cel::parser::Expression;

use super::values::{COUNT_OF, FIELDS, MAX_OBJECTS, VARIABLES};

/// Levels of the tree. Evaluating calls itself for each, on the stack of a streaming thread.
const MAX_LEVELS: usize = 100;

/// Loops within loops.
const MAX_LOOPS: usize = 2;

/// Time for [`MAX_OBJECTS`] objects, in the rough ns of [`Bound::cost`].
const MAX_COST: f64 = 5e8;

/// Names of types, which are values too.
const TYPES: [&str; 10] = [
    "bool",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "list",
    "map",
    "type",
    "null_type",
];

/// None of them makes more of its arguments than there was, give or take the digits of a number.
const FUNCTIONS: [&str; 12] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "type",
    "dyn",
];

const OPERATORS: [&str; 19] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::NOT_STRICTLY_FALSE,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
];

/// Variables that are made only if they are needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uses {
    pub objects: bool,
    pub counts: bool,
}

/// Checks names and cost.
///
/// # Errors
///
/// What there is not, or what is too much.
pub fn check(expression: &Expression) -> Result<Uses, String> {
    let mut checker = Checker::default();
    let bound = checker.visit(expression)?;
    if bound.cost > MAX_COST {
        return Err(format!(
            "could take too long for {MAX_OBJECTS} objects; make it simpler"
        ));
    }
    Ok(checker.uses)
}

/// Upper bounds of a value and of what it takes to compute it.
#[derive(Debug, Clone, Copy)]
struct Bound {
    /// Rough ns.
    cost: f64,
    /// Items, entries and bytes at all depths.
    weight: f64,
    /// Items, if it is a list or a map.
    len: f64,
    /// The weight of the heaviest item.
    item: f64,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Objects,
    Object,
    Other,
}

/// Of a text from the metadata. There may be longer ones; none that matters.
const TEXT: f64 = 32.0;

impl Bound {
    fn scalar(cost: f64) -> Self {
        Self::of(cost, 1.0)
    }

    fn of(cost: f64, weight: f64) -> Self {
        Self {
            cost,
            weight,
            len: weight,
            item: weight,
            shape: Shape::Other,
        }
    }
}

#[derive(Default)]
struct Checker {
    uses: Uses,
    levels: usize,
    loops: usize,
    /// Variables of loops, innermost last.
    scope: Vec<(String, Bound)>,
}

impl Checker {
    fn visit(&mut self, expression: &Expression) -> Result<Bound, String> {
        self.levels += 1;
        if self.levels > MAX_LEVELS {
            return Err("is nested too deeply".into());
        }
        let bound = match &expression.expr {
            Expr::Unspecified => Err("is incomplete".into()),
            Expr::Literal(literal) => Ok(Bound::of(
                5.0,
                match literal {
                    LiteralValue::String(text) => text.inner().len() as f64 + 1.0,
                    LiteralValue::Bytes(bytes) => bytes.inner().len() as f64 + 1.0,
                    _ => 1.0,
                },
            )),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                let operand = self.visit(&select.operand)?;
                let field = &select.field;
                if operand.shape == Shape::Object && !FIELDS.contains(&field.as_str()) {
                    let fields = FIELDS.join(", ");
                    return Err(format!("objects have no {field}; they have {fields}"));
                }
                Ok(Bound::of(operand.cost + 150.0, operand.item.max(TEXT)))
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => {
                let mut bound = Bound::of(100.0, 0.0);
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err("has an entry that is none of a map".into());
                    };
                    let (key, value) = (self.visit(&entry.key)?, self.visit(&entry.value)?);
                    bound.cost += key.cost + value.cost + 100.0;
                    bound.weight += key.weight + value.weight + 1.0;
                    bound.item = bound.item.max(key.weight).max(value.weight);
                    bound.len += 1.0;
                }
                Ok(bound)
            }
            Expr::Struct(_) => Err("makes a structure, and there are none".into()),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        };
        self.levels -= 1;
        bound
    }

    fn variable(&mut self, name: &str) -> Result<Bound, String> {
        let own = self.scope.iter().rev().find(|(own, _)| own == name);
        if let Some((_, bound)) = own {
            return Ok(Bound {
                cost: 50.0,
                ..*bound
            });
        }
        let all = MAX_OBJECTS as f64;
        match name {
            "objects" => {
                self.uses.objects = true;
                Ok(Bound {
                    item: 1.0,
                    shape: Shape::Objects,
                    ..Bound::of(60.0, all)
                })
            }
            "counts" | COUNT_OF => {
                self.uses.counts = true;
                Ok(Bound {
                    len: all,
                    item: TEXT,
                    ..Bound::of(60.0, all * TEXT)
                })
            }
            _ if VARIABLES.contains(&name) || TYPES.contains(&name) => Ok(Bound::scalar(60.0)),
            _ => Err(format!("there is no variable {name}")),
        }
    }

    fn list(&mut self, list: &ListExpr) -> Result<Bound, String> {
        let mut bound = Bound::of(30.0, 1.0);
        (bound.len, bound.item) = (list.elements.len() as f64, 0.0);
        for element in &list.elements {
            let element = self.visit(element)?;
            bound.cost += element.cost + 30.0 + 4.0 * element.weight;
            bound.weight += element.weight;
            bound.item = bound.item.max(element.weight);
        }
        Ok(bound)
    }

    fn call(&mut self, call: &CallExpr) -> Result<Bound, String> {
        let name = call.func_name.as_str();
        if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
            return Err(format!("there is no function {name}"));
        }
        let mut bound = Bound::of(250.0, 0.0);
        (bound.len, bound.item) = (0.0, 0.0);
        let mut first = None;
        for argument in call.target.as_deref().into_iter().chain(&call.args) {
            let argument = self.visit(argument)?;
            bound.cost += argument.cost + 4.0 * argument.weight;
            bound.weight += argument.weight;
            bound.len += argument.len;
            bound.item = bound.item.max(argument.item);
            first = first.or(Some(argument));
        }
        match (name, first) {
            // One of them comes out of it, or all of both.
            (operators::CONDITIONAL | operators::ADD | "dyn", _) => Ok(bound),
            (operators::INDEX, Some(first)) => Ok(Bound {
                shape: match first.shape {
                    Shape::Objects => Shape::Object,
                    _ => Shape::Other,
                },
                ..Bound::of(bound.cost, first.item)
            }),
            ("string" | "bytes", _) => Ok(Bound::of(bound.cost, bound.weight + TEXT)),
            _ => Ok(Bound::scalar(bound.cost)),
        }
    }

    fn comprehension(&mut self, comprehension: &ComprehensionExpr) -> Result<Bound, String> {
        let range = self.visit(&comprehension.iter_range)?;
        let init = self.visit(&comprehension.accu_init)?;
        self.loops += 1;
        if self.loops > MAX_LOOPS {
            return Err(format!(
                "has loops (exists, all, filter, map) within each other more than {MAX_LOOPS} deep"
            ));
        }
        let outer = self.scope.len();
        self.scope.push((
            comprehension.iter_var.clone(),
            Bound {
                shape: match range.shape {
                    Shape::Objects => Shape::Object,
                    _ => Shape::Other,
                },
                ..Bound::of(0.0, range.item)
            },
        ));
        if let Some(second) = &comprehension.iter_var2 {
            self.scope
                .push((second.clone(), Bound::of(0.0, range.item)));
        }
        // What a step adds is counted below; what was there before is only handed on.
        let accumulated = Bound {
            len: 0.0,
            item: 0.0,
            ..Bound::of(0.0, 0.0)
        };
        self.scope
            .push((comprehension.accu_var.clone(), accumulated));
        let condition = self.visit(&comprehension.loop_cond)?;
        let step = self.visit(&comprehension.loop_step)?;
        let result = self.visit(&comprehension.result)?;
        self.scope.truncate(outer);
        self.loops -= 1;
        let per_item = 150.0 + condition.cost + step.cost + 4.0 * range.item;
        Ok(Bound {
            cost: range.cost + init.cost + range.len * per_item + result.cost,
            weight: init.weight + range.len * step.weight,
            len: init.len + range.len * step.len,
            item: init.item.max(step.item),
            shape: Shape::Other,
        })
    }
}

/// The same expression with both sides of every `&&`, `||` and `?:` evaluated, to see whether they
/// can be. It gives something else.
pub fn without_shortcuts(expression: &Expression) -> Expression {
    let mut copy = expression.clone();
    expand(&mut copy);
    copy
}

fn expand(expression: &mut Expression) {
    match &mut expression.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| expand(target));
            call.args.iter_mut().for_each(expand);
            match call.func_name.as_str() {
                operators::LOGICAL_AND | operators::LOGICAL_OR => {
                    // [!a, !b] != [], which is true.
                    let sides = std::mem::take(&mut call.args);
                    let sides = sides
                        .into_iter()
                        .map(|side| self::call(operators::LOGICAL_NOT, vec![side]));
                    let both = list(sides.collect());
                    *expression = self::call(operators::NOT_EQUALS, vec![both, list(Vec::new())]);
                }
                operators::CONDITIONAL if call.args.len() == 3 => {
                    // [a, b, !c][0], which is a.
                    let condition = call.args.remove(0);
                    let mut all = std::mem::take(&mut call.args);
                    all.push(self::call(operators::LOGICAL_NOT, vec![condition]));
                    let first = node(Expr::Literal(LiteralValue::Int(CelInt::from(0))));
                    *expression = self::call(operators::INDEX, vec![list(all), first]);
                }
                _ => {}
            }
        }
        Expr::Comprehension(comprehension) => {
            // Its own conditions and steps have to stay as they are, or it would not walk on.
            expand(&mut comprehension.iter_range);
            if let Expr::Call(step) = &mut comprehension.loop_step.expr {
                step.args.iter_mut().for_each(expand);
            }
        }
        Expr::List(list) => list.elements.iter_mut().for_each(expand),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    expand(&mut entry.key);
                    expand(&mut entry.value);
                }
            }
        }
        Expr::Select(select) => expand(&mut select.operand),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => {}
    }
}

fn node(expr: Expr) -> Expression {
    Expression { id: 0, expr }
}

fn list(elements: Vec<Expression>) -> Expression {
    node(Expr::List(ListExpr::new(elements)))
}

fn call(name: &str, args: Vec<Expression>) -> Expression {
    node(Expr::Call(CallExpr {
        func_name: name.to_owned(),
        target: None,
        args,
    }))
}
