/** The services that a configuration speaks of: where they are, and whether that can be. */

import { isIP } from 'node:net';
import { isKnownRegion } from './aws-regions.ts';
import type { SettingFault } from './fault.ts';
import type { Config } from './schema.ts';
import { whereSettled } from './settled.ts';

interface Service {
  readonly region: string;
  readonly endpoint?: string | undefined;
}

/** By the path of the section that has region and endpoint. */
const services: Readonly<Record<string, (config: Config) => Service | undefined>> = {
  policy: ({ policy }) => policy,
  'policy.seal.kms': ({ policy }) => policy.seal?.kms,
  'audit.checkpoints.kms': ({ audit }) => audit.checkpoints?.kms,
  'audit.checkpoints.s3': ({ audit }) => audit.checkpoints?.s3,
  'webIdentity.keys.current.kms': ({ webIdentity }) => webIdentity?.keys?.current.kms,
  'webIdentity.keys.next.kms': ({ webIdentity }) => webIdentity?.keys?.next?.kms,
  'webIdentity.keys.previous.kms': ({ webIdentity }) => webIdentity?.keys?.previous?.kms,
};

/** Those of issuers are compared with the forms that they can have. */
const pages: Readonly<Record<string, (config: Config) => string | undefined>> = {
  'admin.console.signInUrl': ({ admin }) => admin?.console?.signInUrl,
  'admin.console.origin': ({ admin }) => admin?.console?.origin,
  // What else is wrong with it is said elsewhere.
  'webIdentity.issuer': ({ webIdentity }) => {
    const { issuer = '' } = webIdentity ?? {};
    return /^https:/.test(issuer) && URL.canParse(issuer) ? issuer : undefined;
  },
};

/** A region that this release does not know yet can be used by the name of its endpoint. */
export function checkRegions(config: Config): SettingFault[] {
  return whereSettled(servicesOf(config), ([path, service]) => {
    const { region, endpoint } = service();
    if (endpoint !== undefined || isKnownRegion(region)) return [];
    const detail =
      'is no region that this release knows: correct it, or name the endpoint of a newer one beside it';
    return [{ path: `${path}.region`, detail }];
  });
}

/** In production nothing is asked in the clear, and no name stands for this host. */
export function checkProductionEndpoints(config: Config): SettingFault[] {
  const endpoints = servicesOf(config).map(
    ([path, service]) => [`${path}.endpoint`, () => service().endpoint] as const,
  );
  const others = Object.entries(pages).map(([path, read]) => [path, () => read(config)] as const);
  return whereSettled([...endpoints, ...others], ([path, read]) => {
    const url = read();
    return url === undefined ? [] : Array.from(endpointFaults(url), (detail) => ({ path, detail }));
  });
}

/** Each is read when it is asked for. */
function servicesOf(config: Config): readonly (readonly [path: string, () => Service])[] {
  const named = whereSettled(Object.entries(services), ([path, read]) =>
    read(config) === undefined ? [] : [[path, () => read(config) as Service] as const],
  );
  const exchanges = whereSettled([config], ({ sts }) =>
    Array.from(
      sts.endpoints.keys(),
      (index) => [`sts.endpoints.${index}`, () => sts.endpoints[index] as Service] as const,
    ),
  );
  return [...named, ...exchanges];
}

function* endpointFaults(url: string): Generator<string> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:') yield 'must be https in the production profile';
  if (isLocalName(hostname) || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) {
    yield 'must name another host, not an address, in the production profile';
  }
}

/** RFC 6761 section 6.3: localhost and every name below it, with or without the final dot. */
function isLocalName(hostname: string): boolean {
  return /(?:^|\.)localhost\.?$/.test(hostname);
}
