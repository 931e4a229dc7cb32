/* user: to come */
#include "farside.h"

void far_open_user(lua_State *L) {
  (void)L;
}
