using System.Reflection;
using Microsoft.AspNetCore.Mvc;

namespace Temper.Api.Http;

/// <summary>What all routes of the API have in common.</summary>
internal static class ApiGroup
{
    public static RouteGroupBuilder MapApi(this WebApplication app)
    {
        return app.MapGroup("")
            .AddEndpointFilter(app.Services.GetRequiredService<Overload>().LimitAsync)
            .AddEndpointFilter(app.Services.GetRequiredService<Reconnection>().FilterAsync)
            .AddEndpointFilterFactory(RefuseQueries)
            .ProducesValidationProblem();
    }

    /// <summary>For routes without query parameters; the others name unknown ones beside what else is wrong.</summary>
    private static EndpointFilterDelegate RefuseQueries(EndpointFilterFactoryContext factory, EndpointFilterDelegate next)
    {
        if (factory.MethodInfo.GetParameters().Any(IsOfQuery))
            return next;
        return context =>
            Problems.UnknownParameters(context.HttpContext.Request) is { } wrong ? ValueTask.FromResult<object?>(wrong) : next(context);
    }

    private static bool IsOfQuery(ParameterInfo parameter) =>
        parameter.IsDefined(typeof(AsParametersAttribute))
        || (parameter.ParameterType == typeof(string) && !parameter.IsDefined(typeof(FromHeaderAttribute)));
}
