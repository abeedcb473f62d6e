import { Page } from '../parts/page.tsx';

export function NoPage() {
  return (
    <Page title="There is no such page">
      <p>
        <a href="#/">Home</a>
      </p>
    </Page>
  );
}
