import type { ServerResponse } from 'node:http';

/** How the key set of the local issuer misbehaves. */
export type IssuerFault =
  | { /** Never answers. */ readonly kind: 'hang' }
  | { /** Cuts the connection. */ readonly kind: 'reset' }
  | { readonly kind: 'status'; readonly status: number }
  | { /** 200 with this body, as it stands. */ readonly kind: 'body'; readonly body: string };

export function answerWithFault(res: ServerResponse, fault: IssuerFault): void {
  switch (fault.kind) {
    case 'hang':
      return;
    case 'reset':
      res.socket?.resetAndDestroy();
      return;
    case 'status':
      res.writeHead(fault.status, { 'content-length': 0 }).end();
      return;
    case 'body':
      res.writeHead(200, { 'content-type': 'application/json' }).end(fault.body);
      return;
  }
}
