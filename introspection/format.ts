/** Introspection data: model → XML. */

import { writeXml, type XmlOutput } from "../xml/write.ts";
import type {
  Annotation,
  Argument,
  InterfaceDescription,
  NodeDescription,
  PropertyDescription,
} from "./model.ts";

/** https://dbus.freedesktop.org/doc/dbus-specification.html#introspection-format */
const DOCTYPE = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
`;

/** The document that describes `node`; `parseIntrospection` reads it back. */
export function formatIntrospection(node: NodeDescription): string {
  return DOCTYPE + writeXml(nodeElement(node));
}

function nodeElement({ name, interfaces, children }: NodeDescription): XmlOutput {
  return {
    name: "node",
    attributes: name === null ? {} : { name },
    children: [...interfaces.map(interfaceElement), ...children.map(nodeElement)],
  };
}

function interfaceElement(description: InterfaceDescription): XmlOutput {
  const { name, methods, signals, properties, annotations } = description;
  return {
    name: "interface",
    attributes: { name },
    children: [
      ...methods.map((method) => ({
        name: "method",
        attributes: { name: method.name },
        children: [
          ...method.inputs.map((argument) => argumentElement(argument, "in")),
          ...method.outputs.map((argument) => argumentElement(argument, "out")),
          ...method.annotations.map(annotationElement),
        ],
      })),
      ...signals.map((signal) => ({
        name: "signal",
        attributes: { name: signal.name },
        children: [
          ...signal.args.map((argument) => argumentElement(argument, null)),
          ...signal.annotations.map(annotationElement),
        ],
      })),
      ...properties.map(propertyElement),
      ...annotations.map(annotationElement),
    ],
  };
}

function propertyElement(property: PropertyDescription): XmlOutput {
  const { name, signature, access, annotations } = property;
  return {
    name: "property",
    attributes: { name, type: signature, access },
    children: annotations.map(annotationElement),
  };
}

function argumentElement(argument: Argument, direction: "in" | "out" | null): XmlOutput {
  return {
    name: "arg",
    attributes: {
      ...(argument.name === null ? {} : { name: argument.name }),
      type: argument.signature,
      ...(direction === null ? {} : { direction }),
    },
    children: argument.annotations.map(annotationElement),
  };
}

function annotationElement({ name, value }: Annotation): XmlOutput {
  return { name: "annotation", attributes: { name, value } };
}
