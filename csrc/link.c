/* link: to come */
#include "farside.h"

void far_open_link(lua_State *L) {
  (void)L;
}
