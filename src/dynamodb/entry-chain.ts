/**
 * The chain over the change log: each digest is of the one before and of all that the entry holds, so that one
 * signature over the newest answers for every entry up to it. docs/table.md has the form.
 */

import { hash } from 'node:crypto';
import { everyInPieces, type PiecesOfWork } from '../kit/timing/in-turns.ts';
import { readInteger, readText } from './item-attributes.ts';
import type { Item } from './table-calls.ts';

export interface Chain {
  /** Of the table, as its seals have it: no entry counts for another table. */
  readonly name: string;
  /** Of the newest entry in it. */
  readonly revision: number;
  readonly digest: string;
}

/** What an entry adds to the chain. */
export interface ChainLink {
  readonly revision: number;
  /** Digest of the whole item but its seal. */
  readonly content: string;
  /** Undefined where the entry has none. */
  readonly seal: string | undefined;
}

/** So many are followed before whatever else is due. */
const linksPerPiece = 200;

export function emptyChain(name: string): Chain {
  return { name, revision: 0, digest: digestOf(`token-broker change log\n${name}\n`) };
}

export function nextInChain({ name, digest }: Chain, { revision, content }: ChainLink): Chain {
  return { name, revision, digest: digestOf(`${digest}\n${content}\n`) };
}

/** The chain after these entries; undefined if they do not follow from it, or one of them does not count. */
export function* chainAfter(
  from: Chain,
  links: readonly ChainLink[],
  counts: (link: ChainLink, chain: Chain) => boolean,
): PiecesOfWork<Chain | undefined> {
  let chain = from;
  const follow = yield* everyInPieces(links, linksPerPiece, (link) => {
    if (link.revision !== chain.revision + 1) return false;
    chain = nextInChain(chain, link);
    return counts(link, chain);
  });
  return follow ? chain : undefined;
}

/** What is signed. */
export function sealText({ name, revision, digest }: Chain): string {
  return `token-broker change log seal\n${name}\n${revision}\n${digest}\n`;
}

export function linkOf(item: Item): ChainLink {
  return {
    revision: readInteger(item, 'revision') ?? 0,
    content: contentDigest(item),
    seal: readText(item, 'seal'),
  };
}

export function sealedItem(item: Item, { digest }: Chain, signature: Buffer): Item {
  return { ...item, chain: { S: digest }, seal: { S: signature.toString('base64') } };
}

/** The chain as the entry itself states it, with the signature that has to prove it. */
export function statedChain(
  name: string,
  item: Item | undefined,
): { readonly chain: Chain; readonly seal: string } | undefined {
  const digest = readText(item, 'chain');
  const seal = readText(item, 'seal');
  const revision = readInteger(item, 'revision');
  if (digest === undefined || seal === undefined || revision === undefined) return undefined;
  return { chain: { name, revision, digest }, seal };
}

/** Of all that the item holds, but seals. */
export function contentDigest(item: Item): string {
  return digestOf(canonical(item));
}

const sealAttributes: ReadonlySet<string> = new Set(['chain', 'seal']);

/** Every attribute counts, key and those of later releases included: nothing can be added beside what is sealed. */
function canonical(item: Item): string {
  const names = Object.keys(item).filter((name) => !sealAttributes.has(name));
  names.sort((one, other) => (one < other ? -1 : 1));
  return JSON.stringify(names.map((name) => [name, item[name]]));
}

function digestOf(text: string): string {
  return hash('sha256', text, 'base64');
}
