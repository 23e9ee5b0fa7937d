"""The REST API. A call is a method of a `HubView` with an `@operation` that says scope, query, body and answers:

    class TargetDetail(HubView):
        @operation("Show a target", scope="sync:read", answers={200: TargetBody})
        def get(self, request, code):
            return Response(target_as_json(...))          # raise mdm.errors: each becomes a problem

        @operation("Pause a target", scope="sync:operate", body=PauseInput, answers={200: TargetBody})
        def post(self, request, code):
            targets.pause(code=code, reason=self.body.reason, by=self.actor)

From the declaration come the scope check, unknown parameters and fields as 400, one transaction with the
Idempotency-Key for writing methods, and the OpenAPI document. Lists: `query=PageQuery` (or a subclass with filters)
and `return self.page(queryset, present=…, order=("-id",))`, answers={200: Page[Shape]}. Shapes: `operations.Shown`
for answers, `operations.Body` and `operations.Query` for what comes in.
"""
