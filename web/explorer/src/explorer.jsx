import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';
import './explorer.css';

// The key lives as long as the browser tab, and nowhere else.
const keyName = 'cairn-api-key';

/** Posts one GraphQL operation; what is no GraphQL answer becomes an error that says so. */
async function post(endpoint, key, operation) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json', Authorization: `Bearer ${key}` },
    body: JSON.stringify(operation),
    credentials: 'omit',
  });
  try {
    return { status: response.status, body: await response.json() };
  } catch {
    return {
      status: response.status,
      body: { errors: [{ message: `The server answered ${response.status} ${response.statusText}, and not in JSON.` }] },
    };
  }
}

function KeyForm({ endpoint, onKey }) {
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  async function submit(event) {
    event.preventDefault();
    const key = new FormData(event.target).get('key').trim();
    setBusy(true);
    try {
      const { status, body } = await post(endpoint, key, { query: '{ __typename }' });
      const refused = body.errors?.find((e) => e.extensions?.code === 'UNAUTHENTICATED');
      if (status === 401 || refused) setProblem('The server does not know this key.');
      else if (status >= 500) setProblem(body.errors?.[0]?.message ?? `The server answered ${status}.`);
      else return onKey(key);
    } catch (error) {
      setProblem(`The server cannot be reached: ${error.message}`);
    }
    setBusy(false);
  }
  return (
    <form className="cairn-key" onSubmit={submit}>
      <h1>Cairn</h1>
      <p>Enter an API key to explore the API. It stays in this browser tab and is forgotten when the tab closes.</p>
      <label htmlFor="key">API key</label>
      <input id="key" name="key" type="password" autoComplete="off" spellCheck="false" required autoFocus />
      <button disabled={busy}>Explore</button>
      <p role="alert">{problem}</p>
      <p className="cairn-hint">
        Make one with <code>cairn admin create-api-key --role ADMIN</code>.
      </p>
    </form>
  );
}

function Explorer({ endpoint, defaultQuery }) {
  const [key, setKey] = useState(() => sessionStorage.getItem(keyName));
  if (!key) {
    return (
      <KeyForm
        endpoint={endpoint}
        onKey={(entered) => {
          sessionStorage.setItem(keyName, entered);
          setKey(entered);
        }}
      />
    );
  }
  const forget = () => {
    sessionStorage.removeItem(keyName);
    setKey(null);
  };
  return (
    <GraphiQL
      fetcher={async (operation) => (await post(endpoint, key, operation)).body}
      defaultQuery={defaultQuery}
      defaultEditorToolsVisibility="variables"
      isHeadersEditorEnabled={false}
    >
      <GraphiQL.Logo>
        Cairn
        <button type="button" className="cairn-forget" onClick={forget}>
          Forget the API key
        </button>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

const root = document.getElementById('explorer');
createRoot(root).render(<Explorer endpoint={root.dataset.endpoint} defaultQuery={root.dataset.defaultQuery} />);
