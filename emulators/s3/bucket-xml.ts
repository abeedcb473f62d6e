import { type XmlElement, xmlElements } from '../../src/sts-protocol/xml.ts';

/** A whole answer of S3 in XML. */
export function bucketXml(name: string, elements: readonly XmlElement[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${xmlElements([[name, elements]], '')}`;
}
