// GraphiQL for the endpoint at the address of this page, with the examples as tabs. A session needs the CSRF token.
{
  const place = document.getElementById("graphiql");
  // The dialogs of GraphiQL use this nonce for their style element.
  window.__webpack_nonce__ = place.dataset.nonce;
  const fetcher = GraphiQL.createFetcher({
    url: location.pathname,
    headers: { "X-CSRFToken": place.dataset.csrfToken },
  });
  ReactDOM.createRoot(place).render(
    React.createElement(GraphiQL, { fetcher, defaultTabs: EXAMPLES.map((query) => ({ query })) }),
  );
}
