import type { BrokerProcess } from './broker-process.ts';

/** In turn over the replicas that said lately that they are ready, as a load balancer does that looks now and then. */
export class Balancer {
  readonly #replicas: readonly (BrokerProcess | undefined)[];
  readonly #ready = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #turn = 0;

  /** `replicas` may change under it. */
  constructor(replicas: readonly (BrokerProcess | undefined)[]) {
    this.#replicas = replicas;
    const look = async () => {
      for (const replica of this.#replicas) {
        if (replica === undefined) continue;
        const ready = (await replica.probe('/readyz', 500)) === 200;
        if (ready) this.#ready.add(replica.urls.api);
        else this.#ready.delete(replica.urls.api);
      }
    };
    this.#timer = setInterval(() => void look(), 100);
    void look();
  }

  next(): string | undefined {
    const ready = [...this.#ready];
    this.#turn += 1;
    return ready[this.#turn % ready.length];
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
