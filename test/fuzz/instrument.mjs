/** Makes JavaScript count how often each of its blocks and branches is entered. */

import { parseSync, printSync } from "@swc/core";

const SPAN = { start: 0, end: 0 };
const SHORT_CIRCUITS = new Set(["&&", "||", "??"]);
const LOOPS = new Set([
  "ForStatement",
  "ForInStatement",
  "ForOfStatement",
  "WhileStatement",
  "DoWhileStatement",
]);

/** `code` with its blocks numbered from 0 on, counted in an array `onehopBlocks`, and how many there are. */
export function instrument(code) {
  const program = parseSync(code, { syntax: "ecmascript", target: "es2023" });
  let next = 0;
  const count = () => counter(next++);
  visit(program, count);
  return { code: printSync(program, {}).code, count: next };
}

function visit(node, count) {
  if (Array.isArray(node)) {
    for (const each of node) visit(each, count);
    return;
  }
  if (typeof node !== "object" || node === null) return;
  for (const child of Object.values(node)) visit(child, count);
  switch (node.type) {
    case "BlockStatement":
      node.stmts.unshift(statement(count()));
      break;
    case "SwitchCase":
      if (node.consequent.length > 0) node.consequent.unshift(statement(count()));
      break;
    case "IfStatement":
      node.consequent = asBlock(node.consequent, count);
      if (node.alternate?.type !== "IfStatement") node.alternate = asBlock(node.alternate, count);
      break;
    case "ConditionalExpression":
      node.consequent = counted(node.consequent, count());
      node.alternate = counted(node.alternate, count());
      break;
    case "BinaryExpression":
      if (SHORT_CIRCUITS.has(node.operator)) node.right = counted(node.right, count());
      break;
    default:
      if (LOOPS.has(node.type)) node.body = asBlock(node.body, count);
  }
}

/** A statement, or none, as a block that counts. */
function asBlock(node, count) {
  if (node?.type === "BlockStatement") return node;
  const stmts = node ? [statement(count()), node] : [statement(count())];
  return { type: "BlockStatement", span: SPAN, ctxt: 0, stmts };
}

function counted(expression, counting) {
  const expressions = [counting, expression];
  const sequence = { type: "SequenceExpression", span: SPAN, expressions };
  return { type: "ParenthesisExpression", span: SPAN, expression: sequence };
}

function statement(expression) {
  return { type: "ExpressionStatement", span: SPAN, expression };
}

/** `onehopBlocks[index]++` */
function counter(index) {
  const object = {
    type: "Identifier",
    span: SPAN,
    ctxt: 0,
    value: "onehopBlocks",
    optional: false,
  };
  const literal = { type: "NumericLiteral", span: SPAN, value: index, raw: String(index) };
  const property = { type: "Computed", span: SPAN, expression: literal };
  const argument = { type: "MemberExpression", span: SPAN, object, property };
  return { type: "UpdateExpression", span: SPAN, operator: "++", prefix: false, argument };
}
