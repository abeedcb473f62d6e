/** Which table it is, as far as that is known without asking AWS: not its account, nor when it was made. */

import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';

export interface TablePlace {
  readonly region: string;
  /** URL; absent where it is the regional one. */
  readonly endpoint?: string | undefined;
  readonly table: string;
}

export async function placeOf(client: DynamoDBClient, table: string): Promise<TablePlace> {
  const region = await client.config.region();
  const endpoint = await client.config.endpoint?.();
  if (endpoint === undefined) return { region, table };
  const { protocol, hostname, port, path } = endpoint;
  const host = port === undefined ? hostname : `${hostname}:${port}`;
  return { region, endpoint: `${protocol}//${host}${path}`, table };
}

/** `other`: as somebody wrote it down. */
export function isSamePlace(place: TablePlace, other: unknown): boolean {
  if (typeof other !== 'object' || other === null) return false;
  const { region, endpoint, table } = other as { readonly [Name in keyof TablePlace]?: unknown };
  return place.region === region && place.endpoint === endpoint && place.table === table;
}
