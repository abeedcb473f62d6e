/** A broker that serves the console, and people who can sign in to it. */

import { fileURLToPath } from 'node:url';
import type { IssuerUser } from '../../emulators/issuer/issuer-claims.ts';
import {
  type BrokerFixture,
  type BrokerFixtureOptions,
  startBrokerFixture,
} from './broker-fixture.ts';
import { clients } from './outside-world.ts';

/** Built by `npm test` before the tests. */
export const consoleDirectory = fileURLToPath(new URL('../../dist/console', import.meta.url));

export const ada: IssuerUser = {
  username: 'ada',
  sub: '7d8e2a5c-1111-4222-8333-944445555666',
  groups: ['broker-admins'],
};
export const grace: IssuerUser = {
  username: 'grace',
  sub: '7d8e2a5c-2222-4222-8333-944445555666',
  groups: ['broker-admins'],
};
/** No administrator. */
export const cleo: IssuerUser = {
  username: 'cleo',
  sub: '7d8e2a5c-3333-4222-8333-944445555666',
  groups: [],
};

export async function startConsoleBroker(
  options: BrokerFixtureOptions = {},
): Promise<BrokerFixture> {
  let issuerOrigin = '';
  const broker = await startBrokerFixture({
    users: [ada, cleo],
    consoleDirectory,
    ...options,
    beforeStart: async (outside) => {
      issuerOrigin = outside.issuer.origin;
      await options.beforeStart?.(outside);
    },
    configure: (config) => {
      const admin = {
        pool: config.admin?.pool ?? '',
        machines: true,
        groups: ['broker-admins'],
        clients: [clients.admin.clientId, clients.console.clientId],
        console: { client: clients.console.clientId, signInUrl: issuerOrigin },
      };
      const configured = { ...config, admin };
      return options.configure?.(configured) ?? configured;
    },
  });
  broker.issuer.allowCallback(clients.console.clientId, `${broker.urls.admin}/console/`);
  return broker;
}
