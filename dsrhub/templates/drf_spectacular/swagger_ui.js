"use strict";

// Requests go to this page's own server. The document names another one if a proxy hides the address of the page.
const requestInterceptor = (request) => {
  const { pathname, search } = new URL(request.url, document.baseURI);
  request.url = new URL(pathname + search, document.baseURI).href;
  if (!["GET", undefined].includes(request.method)) {
    request.headers["{{ csrf_header_name }}"] = "{{ csrf_token }}";
  }
  return request;
};

SwaggerUIBundle({
  url: "{{ schema_url|escapejs }}",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  requestInterceptor,
  ...{{ settings|safe }},
});
