/** Introspection data: XML → model. */

import { isInterfaceName, isMemberName } from "../wire/names.ts";
import { isObjectPath } from "../wire/object-path.ts";
import { isSingleCompleteType } from "../wire/signature.ts";
import { defaultXmlLimits, parseXml, type XmlElement, type XmlLimits } from "../xml/parse.ts";
import type {
  Annotation,
  Argument,
  InterfaceDescription,
  MethodDescription,
  NodeDescription,
  PropertyDescription,
  SignalDescription,
} from "./model.ts";

/** The data cannot be used; the message says what is wrong and where. */
export class IntrospectionError extends Error {
  override readonly name = "IntrospectionError";
  readonly code = "ONEHOP_INTROSPECTION";
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;

  constructor(text: string, line: number, column: number) {
    super(`introspection data, line ${line}, column ${column}: ${text}`);
    this.line = line;
    this.column = column;
  }
}

export interface ParseOptions {
  /**
   * Gets what is wrong in an element, which is then left out; the rest is read. Without it the first such
   * error is thrown.
   */
  readonly onProblem?: (problem: IntrospectionError) => void;
  /** Default: those of xml/parse.ts, 4 Mi characters and 64 levels. */
  readonly limits?: XmlLimits;
}

/**
 * The node that `xml` describes.
 *
 * Elements and attributes that the specification does not know (documentation, `tp:type`) are left out, as are
 * DOCTYPEs. Where real services are lax this is too: an argument of a method without a direction is an `in`
 * argument; an interface that is described in two parts is one. The data may be hostile: it is bounded in size
 * and depth, and every name and type in the result is valid.
 *
 * @throws IntrospectionError
 */
export function parseIntrospection(xml: string, options: ParseOptions = {}): NodeDescription {
  // Some services print a blank line before the XML declaration, which XML does not allow.
  const { root, problem } = parseXml(xml.trimStart(), options.limits ?? defaultXmlLimits);
  if (problem !== null) {
    throw new IntrospectionError(problem.message, problem.line, problem.column);
  }
  if (root.name !== "node") throw errorAt(root, `expected <node>, got <${root.name}>`);
  return new Reading(options.onProblem ?? null).node(root, true);
}

/** One reading of a document. */
class Reading {
  readonly #onProblem: ((problem: IntrospectionError) => void) | null;

  constructor(onProblem: ((problem: IntrospectionError) => void) | null) {
    this.#onProblem = onProblem;
  }

  node(element: XmlElement, isRoot: boolean): NodeDescription {
    const name = element.attributes.get("name") ?? null;
    if (name === null ? !isRoot : !isNodeName(name, isRoot)) {
      throw errorAt(element, `${JSON.stringify(name)} is not the name of a node`);
    }
    const interfaces: Map<string, InterfaceDescription> = new Map();
    for (const part of this.#each(element, "interface", (child) => this.#interface(child))) {
      const other = interfaces.get(part.name);
      interfaces.set(part.name, other === undefined ? part : merge(other, part));
    }
    const children = this.#each(element, "node", (child) => this.node(child, false));
    return { name, interfaces: [...interfaces.values()], children };
  }

  #interface(element: XmlElement): InterfaceDescription {
    return {
      name: nameOf(element, isInterfaceName),
      methods: this.#each(element, "method", readMethod),
      signals: this.#each(element, "signal", readSignal),
      properties: this.#each(element, "property", readProperty),
      annotations: readAnnotations(element),
    };
  }

  #each<T>(element: XmlElement, name: string, read: (child: XmlElement) => T): T[] {
    const values: T[] = [];
    for (const child of childrenOf(element, name)) {
      try {
        values.push(read(child));
      } catch (error) {
        if (this.#onProblem === null || !(error instanceof IntrospectionError)) throw error;
        this.#onProblem(error);
      }
    }
    return values;
  }
}

/** Of the root an absolute path; of a child a relative one, which some services make absolute. */
function isNodeName(name: string, isRoot: boolean): boolean {
  return isObjectPath(name) || (isRoot ? name === "" : isObjectPath(`/${name}`));
}

function merge(one: InterfaceDescription, other: InterfaceDescription): InterfaceDescription {
  return {
    name: one.name,
    methods: [...one.methods, ...other.methods],
    signals: [...one.signals, ...other.signals],
    properties: [...one.properties, ...other.properties],
    annotations: [...one.annotations, ...other.annotations],
  };
}

function readMethod(element: XmlElement): MethodDescription {
  const inputs: Argument[] = [];
  const outputs: Argument[] = [];
  for (const child of childrenOf(element, "arg")) {
    const direction = child.attributes.get("direction") ?? "in";
    if (direction === "in") inputs.push(readArgument(child));
    else if (direction === "out") outputs.push(readArgument(child));
    else throw errorAt(child, `a direction is "in" or "out", not ${JSON.stringify(direction)}`);
  }
  const name = nameOf(element, isMemberName);
  return { name, inputs, outputs, annotations: readAnnotations(element) };
}

function readSignal(element: XmlElement): SignalDescription {
  const args = childrenOf(element, "arg").map(readArgument);
  return { name: nameOf(element, isMemberName), args, annotations: readAnnotations(element) };
}

function readProperty(element: XmlElement): PropertyDescription {
  const access = element.attributes.get("access");
  if (access !== "read" && access !== "write" && access !== "readwrite") {
    throw errorAt(element, 'the access of a property is "read", "write" or "readwrite"');
  }
  return {
    name: nameOf(element, isMemberName),
    signature: typeOf(element),
    access,
    annotations: readAnnotations(element),
  };
}

function readArgument(element: XmlElement): Argument {
  const name = element.attributes.get("name") ?? "";
  return {
    name: name === "" ? null : name,
    signature: typeOf(element),
    annotations: readAnnotations(element),
  };
}

function readAnnotations(element: XmlElement): Annotation[] {
  return childrenOf(element, "annotation").map((child) => ({
    name: child.attributes.get("name") ?? "",
    value: child.attributes.get("value") ?? "",
  }));
}

function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

function nameOf(element: XmlElement, isValid: (text: string) => boolean): string {
  const name = element.attributes.get("name");
  if (name === undefined) throw errorAt(element, `<${element.name}> has no name`);
  if (!isValid(name)) {
    throw errorAt(element, `${JSON.stringify(name)} is not a valid name of <${element.name}>`);
  }
  return name;
}

function typeOf(element: XmlElement): string {
  const type = element.attributes.get("type");
  if (type === undefined) throw errorAt(element, `<${element.name}> has no type`);
  if (!isSingleCompleteType(type)) {
    throw errorAt(element, `${JSON.stringify(type)} is not one complete type`);
  }
  return type;
}

function errorAt({ line, column }: XmlElement, text: string): IntrospectionError {
  return new IntrospectionError(text, line, column);
}
