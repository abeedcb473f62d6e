/** What nginx needs around its servers to run beside a test: in one process, in the foreground, with all its files in one folder. */

import { join } from 'node:path';

export function nginxConfiguration(directory, servers) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(directory, name)};`,
  );
  return `daemon off;
master_process off;
pid ${join(directory, 'pid')};
events {}
http {
  access_log off;
  ${[...temporary, ...servers].join('\n  ')}
}
`;
}
