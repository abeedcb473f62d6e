/** A service of the local stack at work: it asks for its role again and again, whether it gets it or not, as services do. */

import { boundedFetch } from '../src/kit/net/bounded-fetch.ts';
import type { Clock } from '../src/kit/timing/clock.ts';
import type { LocalEnvironment } from './local-environment.ts';

export interface WorkloadOptions {
  readonly ready: LocalEnvironment['ready'];
  /** App client, by its name in the local stack. */
  readonly client: string;
  /** ARN or id of a mapping. */
  readonly role: string;
  readonly clock: Clock;
}

export interface Workload {
  stop(): void;
}

/** As often as somebody who looks on has patience for. */
const everyMs = 10_000;
const limits = { timeoutMs: 5_000, maxBytes: 64 * 1024 };

/** What becomes of it is in the audit log and in the console; nobody is told here. */
export function startWorkload({ ready, client, role, clock }: WorkloadOptions): Workload {
  const { clientId = '', clientSecret = '' } =
    ready.clients.find(({ name }) => name === client) ?? {};
  const post = (url: string, headers: Readonly<Record<string, string>>, body: string) =>
    boundedFetch(url, { method: 'POST', headers, body, clock, ...limits });
  const ask = async () => {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
    });
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const { body = Buffer.alloc(0) } = await post(ready.tokenEndpoint, type, form.toString());
    const { access_token: token } = JSON.parse(Buffer.from(body).toString()) as Record<
      string,
      string
    >;
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    await post(`${ready.broker}/v1/credentials`, headers, JSON.stringify({ role }));
  };
  let timer = clock.after(0, turn);
  let stopped = false;
  function turn(): void {
    void ask()
      .catch(() => undefined)
      .finally(() => {
        if (!stopped) timer = clock.after(everyMs, turn);
      });
  }
  return {
    stop() {
      stopped = true;
      timer.cancel();
    },
  };
}
