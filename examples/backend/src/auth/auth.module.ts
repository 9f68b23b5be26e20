import { Module } from "@nestjs/common";
import { JwtModule, type JwtModuleOptions } from "@nestjs/jwt";
import { CollabServerModule } from "../collab/collab-server.module.js";
import { CONFIG, type Config } from "../config.js";
import { RightsModule } from "../rights/rights.module.js";
import { AuthController } from "./auth.controller.js";
import { PeopleController } from "./people.controller.js";
import { SignOuts } from "./sign-outs.js";
import { TokenService } from "./token.service.js";

@Module({
  imports: [
    RightsModule,
    CollabServerModule,
    JwtModule.registerAsync({ inject: [CONFIG], useFactory: jwtOptions }),
  ],
  controllers: [AuthController, PeopleController],
  providers: [TokenService, SignOuts],
  exports: [TokenService],
})
export class AuthModule {}

function jwtOptions(config: Config): JwtModuleOptions {
  // Left out, not undefined: jsonwebtoken refuses an issuer or audience that is there without a value.
  const parties = {
    ...(config.jwtIssuer === undefined ? {} : { issuer: config.jwtIssuer }),
    ...(config.jwtAudience === undefined ? {} : { audience: config.jwtAudience }),
  };
  return {
    secret: config.jwtSecret,
    signOptions: { algorithm: "HS256", expiresIn: config.tokenTtlSeconds, ...parties },
    // Named, so that the token's own header never chooses how it is checked.
    verifyOptions: { algorithms: ["HS256"], ...parties },
  };
}
